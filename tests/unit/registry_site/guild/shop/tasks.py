"""The tasks of the shop."""


def sell(what="tea"):
    """Sell something."""
