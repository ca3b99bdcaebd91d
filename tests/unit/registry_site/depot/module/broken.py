"""A task module that does not import."""

raise RuntimeError("the shelves\nare gone")
