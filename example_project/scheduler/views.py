"""The pages on which people read the reports. They are open to everybody: this is a demo."""

from datetime import date

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from .models import DailyReport, Project


def report_list(request: HttpRequest) -> HttpResponse:
    return render(request, "scheduler/report_list.html", {"reports": DailyReport.objects.all()[:100]})


def report(request: HttpRequest, day: str) -> HttpResponse:
    try:
        wanted = date.fromisoformat(day)
    except ValueError as error:
        raise Http404(f"{day!r} is not a day; one is written 2024-12-31.") from error
    context = {"report": get_object_or_404(DailyReport, day=wanted), "projects": Project.objects.all()}
    return render(request, "scheduler/report.html", context)
