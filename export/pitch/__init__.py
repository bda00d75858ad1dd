"""Fitting of the pitch kernel's scorer: synthetic speech, training, and a comparison with Praat."""
