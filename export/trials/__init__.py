"""A model asked about people it never saw: data, windows, logits."""
