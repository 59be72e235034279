"""`ampgate dev`: everything on one machine."""
