"""What a request becomes: its source, its records, its answer."""
