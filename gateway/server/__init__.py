"""The edge as a process: sockets, connections, workers, signals."""
