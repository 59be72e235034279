"""Requests out: two HTTP clients, and what both make of an answer."""
