#!/usr/bin/env python
"""Run the scheduler in a process of its own: `python start_scheduler.py`, the same as `manage.py runscheduler`."""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from scheduler.service import start_scheduler

    start_scheduler(block=True)


if __name__ == "__main__":
    main()
