"""What a destination changes of its records: which events, their names, properties, a function."""
