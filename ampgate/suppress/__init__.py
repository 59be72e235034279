"""What `ampgate suppress` does with the topic of suppressions."""
