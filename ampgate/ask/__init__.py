"""`ampgate ask`: what each destination itself knows of a user. A type of destination is a file."""
