from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class SchedTasksConfig(AppConfig):
    name = "django_sched_tasks"
    verbose_name = _("Scheduled tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_sched_tasks import autostart, checks  # noqa: F401, PLC0415 - the checks register themselves

        if apps.is_installed("django.contrib.admin"):
            from django_sched_tasks.contrib import history  # noqa: PLC0415

            history.connect()
        autostart.on_ready()
