"""How records are read: batches of any producer, errors as values, within a limit of bytes."""
