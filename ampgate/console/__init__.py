"""`ampgate console`: the web page for operators and analysts, a process of its own."""
