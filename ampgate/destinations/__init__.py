"""`ampgate destinations`: what destinations leave in Kafka, moved or dropped."""
