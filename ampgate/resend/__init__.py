"""Sending records again: replays and dead letters."""
