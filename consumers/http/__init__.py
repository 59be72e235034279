"""Sending requests: two HTTP clients, and how both read an answer."""
