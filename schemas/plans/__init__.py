"""Tracking plans: which events and properties there are, as JSON Schema (contract.md#plan)."""
