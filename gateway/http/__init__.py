"""Bodies, encodings, addresses, CORS."""
