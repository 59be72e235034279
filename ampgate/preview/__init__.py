"""What a destination would be sent of some events: nothing is sent, and no Kafka is needed."""
