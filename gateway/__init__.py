"""The edge: HTTP in, records out."""
