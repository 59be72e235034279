"""The one way in which a command fails."""


class CommandError(Exception):
    """The command cannot do what was asked; the message tells the operator why."""
