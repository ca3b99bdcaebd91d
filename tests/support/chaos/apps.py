from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Task functions that leave a witness of each call, and faults and a wrong clock for the process that asks."""

    name = "tests.support.chaos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from . import clock, faults

        clock.shift()
        faults.install()
