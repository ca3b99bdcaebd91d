"""A submodule of a submodule."""


def tidy():
    """Tidy up at night."""
