"""Amplitude: events through `/batch`, updates of properties as events or through forms."""
