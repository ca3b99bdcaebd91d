"""Below a private package."""


def peek(): ...
