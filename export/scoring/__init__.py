"""From logits and labels to scores: metrics, temperature, draws of people."""
