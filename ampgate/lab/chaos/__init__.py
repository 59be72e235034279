"""`ampgate chaos`: breaks a whole gateway on purpose, and then counts every event."""
