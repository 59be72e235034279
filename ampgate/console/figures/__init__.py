"""The figures of the pages: what all processes report, what Kafka holds, and the last hour."""
