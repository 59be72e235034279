"""What waits on the edge's disk while Kafka takes no writes."""
