"""Two precisions or backends of one bundle beside each other, and the gate between them."""
