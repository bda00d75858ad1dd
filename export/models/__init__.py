"""Models in torch: prosody encoder, pooling, heads, and the early, late and hybrid fusions."""
