"""Clips, words and faces to the tokens that training caches."""
