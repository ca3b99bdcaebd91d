"""Small tasks that show what the scheduler shows: output, results, failures and housekeeping."""

import time
from datetime import timedelta

from django.utils import timezone

from .models import DailyReport, Project


def heartbeat() -> str:
    """Say that the scheduler is alive."""
    print(f"{Project.objects.count()} projects are known.")
    return "alive"


def slow_export(seconds: int = 20) -> dict[str, int]:
    """Pretend to export every project, slowly."""
    time.sleep(seconds)
    return {"exported": Project.objects.count()}


def broken_import() -> None:
    """Fail, so that there is a traceback to look at."""
    try:
        open("/nowhere/partner-prices.csv", encoding="utf-8").close()
    except FileNotFoundError as error:
        raise RuntimeError("The partner's prices could not be imported.") from error


def tidy_reports(keep_days: int = 90) -> dict[str, int]:
    """Delete the reports of long ago."""
    oldest = timezone.localdate() - timedelta(days=keep_days)
    deleted, _ = DailyReport.objects.filter(day__lt=oldest).delete()
    return {"deleted": deleted}
