"""`python -m ampgate`, the same as `ampgate`."""

from ampgate.cli import main

main()
