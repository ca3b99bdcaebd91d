"""Looks like a task module, but guild itself is no app."""


def plot(): ...
