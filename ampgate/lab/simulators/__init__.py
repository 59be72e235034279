"""Strict fakes of destinations and polled systems: documented behaviour, limits, error bodies."""
