"""Reading what Kafka has stored, without joining a group."""
