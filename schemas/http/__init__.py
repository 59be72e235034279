"""What edge, pulls and delivery know of HTTP alike."""
