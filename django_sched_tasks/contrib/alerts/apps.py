from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "django_sched_tasks.contrib.alerts"
    label = "sched_tasks_alerts"
    verbose_name = _("Alerts of scheduled tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_sched_tasks.contrib.alerts import checks, watch  # noqa: F401, PLC0415 - the apps are loaded first

        watch.connect()
