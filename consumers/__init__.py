"""Delivery: records in, requests out."""
