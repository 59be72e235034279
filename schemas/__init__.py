"""What the processes agree on: every shape that leaves one, and how each reaches Kafka and HTTP."""
