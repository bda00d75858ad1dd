"""Fine-tuning of the speech layers."""
