"""Plans from what was sent and from Amplitude's taxonomy, and how they differ."""
