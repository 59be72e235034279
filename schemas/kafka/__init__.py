"""Writing to Kafka: what the edge and the delivery share. Only this room knows the producer."""
