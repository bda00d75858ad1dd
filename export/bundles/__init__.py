"""Writing bundles: what goes in, the card, and the one function that replaces a folder."""
