"""Strict fakes of the destinations: their documented behaviour, limits and error bodies."""
