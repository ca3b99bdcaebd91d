"""The Celery application, as "First steps with Django" in Celery's documentation has it."""

import os

from celery import Celery

from benchmarks import starts
from benchmarks.contenders.beat import TASK
from benchmarks.site.tasks import work

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")

app = Celery("benchmarks")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.task(name=TASK)(work)
starts.write(starts.LOADED)
