from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenTelemetryConfig(AppConfig):
    name = "django_sched_tasks.contrib.opentelemetry"
    label = "sched_tasks_opentelemetry"
    verbose_name = _("Traces of scheduled tasks")

    def ready(self) -> None:
        from django_sched_tasks.contrib.opentelemetry import spans  # noqa: PLC0415 - the apps are loaded first

        spans.connect()
