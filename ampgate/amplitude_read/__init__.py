"""Asking Amplitude what it has: one client, within what Amplitude allows a project."""
