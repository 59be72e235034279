"""The commands: options, printing, exit codes."""
