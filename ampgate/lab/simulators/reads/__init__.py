"""Amplitude's read APIs over what its simulator accepted: one API a file (amplitude-read.md)."""
