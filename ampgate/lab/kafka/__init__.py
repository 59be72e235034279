"""The embedded Kafka: the real Apache Kafka, started from here."""
