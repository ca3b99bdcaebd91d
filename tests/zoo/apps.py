from django.apps import AppConfig


class ZooConfig(AppConfig):
    """Task functions, tame and wild, and a table that shows how often each one ran."""

    name = "tests.zoo"
    default_auto_field = "django.db.models.BigAutoField"
