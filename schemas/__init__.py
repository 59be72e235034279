"""Every shape that leaves a process. No I/O, no state."""
