from django.apps import AppConfig


class SchedulerConfig(AppConfig):
    """The site's own part: projects, their daily report, and the functions that tasks run."""

    name = "scheduler"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Projects and reports"
