from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Task functions that leave a witness of each call, and faults for the process that asks for them."""

    name = "tests.support.chaos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from . import faults

        faults.install()
