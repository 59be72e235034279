"""Clients of Kafka, which write and read the same way in every process."""
