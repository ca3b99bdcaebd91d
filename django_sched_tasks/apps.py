from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import mail
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SchedTasksConfig(AppConfig):
    name = "django_sched_tasks"
    verbose_name = _("Scheduled tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_sched_tasks import autostart, checks  # noqa: F401, PLC0415 - the checks register themselves

        post_migrate.connect(sync_after_migrate, sender=self)
        if _is_tasks_backend():
            from django_sched_tasks import tasks_backend  # noqa: PLC0415 - Django's task framework may be missing

            tasks_backend.connect_signals()
        if apps.is_installed("django.contrib.admin"):
            from django_sched_tasks.contrib import history  # noqa: PLC0415

            history.connect()
        if apps.is_installed("drf_spectacular"):
            from django_sched_tasks.api import openapi  # noqa: F401, PLC0415 - its extensions register themselves
        autostart.on_ready()


def _is_tasks_backend() -> bool:
    """Whether Django's task framework may enqueue here; a subclass of the backend says so itself once it is used."""
    backends = getattr(settings, "TASKS", None) or {}
    return any(entry.get("BACKEND", "").startswith(f"{SchedTasksConfig.name}.") for entry in backends.values())


def sync_after_migrate(using: str, **options: Any) -> None:
    """Make the rows of what ``@scheduled`` declares. Not for the tests' database, nor after ``flush``."""
    from django_sched_tasks import conf, database  # noqa: PLC0415 - the apps are loaded first
    from django_sched_tasks.management.verbs import sync  # noqa: PLC0415

    is_test, is_migrate = hasattr(mail, "outbox"), "plan" in options
    if is_migrate and not is_test and conf.sync_after_migrate() and using == database.alias():
        sync.after_migrate(options.get("verbosity", 1))
