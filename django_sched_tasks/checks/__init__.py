"""What ``manage.py check`` says about a site. Rows are only asked where it is told to: ``check --database default``.

========================  ==============================================================
``sched_tasks.E001``      ``USE_TZ`` is off
``sched_tasks.E002``      an unknown key in ``SCHED_TASKS``
``sched_tasks.E003``      a value of ``SCHED_TASKS`` that is not as it must be
``sched_tasks.E004``      the ``BACKEND`` of an executor cannot be imported
``sched_tasks.E005``      ``DEFAULTS`` names no policy, or a value that it cannot have
``sched_tasks.W001``      ``rest_framework`` is not installed as an app
``sched_tasks.W002``      a task module cannot be imported
``sched_tasks.W003``      SQLite gives up on a lock sooner than writers can be expected to finish
``sched_tasks.W004``      the directory of ``LOCK_FILE`` does not exist
``sched_tasks.W005``      ``SCHED_TASKS_AUTO_START`` in the environment is neither 0 nor 1
``sched_tasks.W006``      this is uWSGI, told to run no threads, or green ones
``sched_tasks.W007``      the journal of SQLite is no WAL
``sched_tasks.W008``      the file of SQLite lies on a network share
``sched_tasks.W009``      the lock file cannot be written
``sched_tasks.W010``      the lock file lies on a network share
``sched_tasks.W011``      active tasks name a function that is gone (asks the database)
``sched_tasks.W012``      schedulers of several hosts work on SQLite (asks the database)
``sched_tasks.W013``      PostgreSQL seems to be reached through a pooler of transactions
``sched_tasks.W014``      Django's pool has fewer connections than there are threads for functions
========================  ==============================================================
"""

from django_sched_tasks.checks.databases import check_hosts, check_poolers, check_sqlite
from django_sched_tasks.checks.functions import check_functions, check_task_modules
from django_sched_tasks.checks.messages import TAG
from django_sched_tasks.checks.servers import check_lock_file, check_uwsgi
from django_sched_tasks.checks.site import (
    check_defaults,
    check_environment,
    check_executors,
    check_rest_framework,
    check_settings,
    check_time_zones,
)

__all__ = [
    "TAG",
    "check_defaults",
    "check_environment",
    "check_executors",
    "check_functions",
    "check_hosts",
    "check_lock_file",
    "check_poolers",
    "check_rest_framework",
    "check_settings",
    "check_sqlite",
    "check_task_modules",
    "check_time_zones",
    "check_uwsgi",
]
