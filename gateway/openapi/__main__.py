"""Writes the OpenAPI document."""

from gateway.openapi.export import FILE, text

FILE.write_text(text(), encoding="utf-8")
