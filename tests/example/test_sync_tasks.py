"""The example site's own tasks do real work on real models."""

import csv
from datetime import date

import pytest
from django.urls import reverse

from scheduler.models import DailyReport, Project
from scheduler.module.sync_tasks import daily_report, sync_project_data

pytestmark = pytest.mark.django_db


@pytest.fixture
def write_projects(settings, tmp_path):
    settings.PROJECTS_FILE = tmp_path / "projects.csv"

    def write(*rows):
        with settings.PROJECTS_FILE.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("code", "name", "owner", "budget"), *rows])

    return write


def test_the_shipped_file_is_read_into_the_database():
    counts = sync_project_data()

    assert counts["created"] == Project.objects.count() > 0
    assert Project.objects.filter(status=Project.Status.ACTIVE).count() == counts["created"]


def test_reading_the_same_file_again_changes_nothing():
    first = sync_project_data()
    before = list(Project.objects.values_list("code", "updated_at"))

    assert sync_project_data() == {"created": 0, "updated": 0, "closed": 0, "unchanged": first["created"]}
    assert list(Project.objects.values_list("code", "updated_at")) == before


def test_a_changed_file_updates_closes_and_reopens(write_projects):
    write_projects(("A-1", "Harbour", "Ada", "100.00"), ("B-2", "Bridge", "Ben", "200.00"))
    sync_project_data()

    write_projects(("A-1", "Harbour", "Ada", "150.00"))
    assert sync_project_data() == {"created": 0, "updated": 1, "closed": 1, "unchanged": 0}
    assert Project.objects.get(code="B-2").status == Project.Status.CLOSED

    write_projects(("A-1", "Harbour", "Ada", "150.00"), ("B-2", "Bridge", "Ben", "200.00"))
    assert sync_project_data() == {"created": 0, "updated": 1, "closed": 0, "unchanged": 1}
    assert Project.objects.get(code="B-2").status == Project.Status.ACTIVE


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("B-2", "Bridge", "Ben", "plenty"), "line 3: budget 'plenty' is not an amount"),
        (("B-2", "Bridge", "Ben", "NaN"), "line 3: budget 'NaN' is not an amount"),
        (("A-1", "Bridge", "Ben", "1.00"), "line 3: code 'A-1' stands twice"),
        (("", "Bridge", "Ben", "1.00"), "line 3: a project needs a code and a name"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(write_projects, row, sentence):
    write_projects(("A-1", "Harbour", "Ada", "100.00"), row)

    with pytest.raises(ValueError, match=sentence):
        sync_project_data()
    assert not Project.objects.exists()


def test_a_report_is_written_once_a_day_and_can_be_opened(client):
    sync_project_data()

    address = daily_report()
    assert daily_report() == address
    report = DailyReport.objects.get()

    assert address == reverse("reports:report", args=[report.day.isoformat()])
    assert report.summary in client.get(address).content.decode()
    assert address in client.get(reverse("reports:list")).content.decode()


@pytest.mark.parametrize("day", ["2024-02-30", "yesterday", date(1999, 1, 1).isoformat()])
def test_a_day_without_a_report_is_not_found(client, day):
    assert client.get(f"/reports/{day}/").status_code == 404
