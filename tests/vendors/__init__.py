"""A type of destination that is not ours: what CONTRIBUTING.md shows, and the proof of it."""
