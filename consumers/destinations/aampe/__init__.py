"""Aampe: one event or update a request."""
