"""Judging the pitch kernel: synthetic speech with known truth, and a comparison with Praat."""
