"""In a folder without __init__.py, as the specification draws it."""


def sync_shelves():
    """Bring the shelves up to date."""


def 盘点(仓库):  # noqa: PLC2401
    """A name in Chinese is a name."""
