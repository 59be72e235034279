"""From a request to its source, its records and its answer."""
