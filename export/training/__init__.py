"""Training: configurations, tasks and runs."""
