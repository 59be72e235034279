"""What an event costs us: `python -m benchmarks`, or `make bench`."""
