"""`ampgate backfill`: the history that an Amplitude project has, for another destination."""
