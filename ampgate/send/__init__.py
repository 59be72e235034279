"""`ampgate send`: a file of events to an edge."""
