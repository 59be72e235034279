"""The pages, one file each: a router, and functions that say what the page shows."""
