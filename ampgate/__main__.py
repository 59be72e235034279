"""`python -m ampgate`, the same as `ampgate`."""

from ampgate.cli.main import main

main()
