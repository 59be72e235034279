"""Server-sent events, as the HTML standard has them. Pure."""


def message(event: str, text: str) -> str:
    """One event; a browser joins its lines again."""
    lines = "\n".join(f"data: {line}" for line in text.splitlines() or [""])
    return f"event: {event}\n{lines}\n\n"
