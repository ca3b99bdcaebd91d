"""The report."""


def report():
    """Write the report."""
