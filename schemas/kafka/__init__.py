"""How records are written to Kafka: the same way by the edge and by the delivery."""
