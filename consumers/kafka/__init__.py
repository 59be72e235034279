"""Reading from Kafka, committing, and writing letters."""
