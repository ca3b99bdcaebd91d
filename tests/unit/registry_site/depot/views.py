"""No task module."""


def index(request): ...
