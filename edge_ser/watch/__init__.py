"""What an operator watches: whether answers are still what they were."""
