"""What this machine has, and how fast its kernels are."""
