from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SentryConfig(AppConfig):
    name = "django_sched_tasks.contrib.sentry"
    label = "sched_tasks_sentry"
    verbose_name = _("Scheduled tasks in Sentry")

    def ready(self) -> None:
        from django_sched_tasks.contrib.sentry import reports  # noqa: PLC0415 - the apps are loaded first

        reports.connect()
