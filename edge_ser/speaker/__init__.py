"""The person who speaks: profiles and adaptation."""
