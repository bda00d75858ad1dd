"""Scores with what is needed to judge them: chance, spread, confidence, who was held out."""
