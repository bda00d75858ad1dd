"""Pretrained encoders as plain torch modules, one file an encoder."""
