"""Systems that do not push are polled: what they show becomes records (contract.md#pulls)."""
