"""A whole gateway on one machine: embedded Kafka, simulators, chaos. Servers do not have it."""
