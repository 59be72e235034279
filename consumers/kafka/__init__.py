"""Reading from Kafka, committing, and writing letters; only this room knows aiokafka."""
