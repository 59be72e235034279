"""The engine: which records go out next, and what becomes of each. No I/O, no clock, no loop."""
