"""The tutorial, followed from an empty folder to a nightly job: by a shell, and by hand in a browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.pages import ROOT
from tests.support.reader import Reader
from tests.support.readers import checkout  # noqa: F401 - a fixture
from tests.support.waiting import until

PAGE = ROOT / "docs" / "tutorial" / "first-task.md"
TASKS = "/admin/django_sched_tasks/schedulertask/"


class Newcomer:
    """Does by hand what the tutorial says, with the values that stand there."""

    def __init__(self, reader, page):
        self.reader = reader
        self.page = page
        self.told = PAGE.read_text(encoding="utf-8")

    def value_of(self, label):
        """What the tutorial wants in a field."""
        return re.search(rf"\*{label}\*: (?:type )?`(.+?)`", self.told)[1]

    def fill_in_the_form(self):
        page = self.page
        page.goto(f"{self.reader.url}/admin/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", "secret")
        page.click("[type=submit]")
        page.get_by_role("link", name="Scheduled tasks", exact=True).last.click()
        page.get_by_role("link", name="Add scheduled task").click()
        page.get_by_label("Task name").fill(self.value_of("Task name"))
        page.get_by_role("combobox", name="Function").press_sequentially(self.value_of("Function"))
        page.get_by_role("option", name=re.compile("^clear_sessions")).click()
        page.get_by_label("keep_days", exact=True).fill(self.value_of("keep_days"))
        page.get_by_label("At", exact=True).fill(self.value_of("At"))
        page.get_by_role("combobox", name="Time zone").fill(re.search("such as `(.+?)`", self.told)[1])
        expect(page.locator(".sched-preview")).to_contain_text("Asia/Shanghai")
        page.get_by_role("combobox", name="Time zone").fill(self.value_of("Time zone"))
        expect(page.get_by_text("Every day at 02:00 (Asia/Shanghai)")).to_be_visible()
        expect(page.locator(".sched-times li")).to_have_count(10)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was added successfully")).to_be_visible()

    def run_it(self, outcome):
        """Press the button, reload until the task's page tells how it went, and go to the execution's."""
        page = self.page
        page.goto(f"{self.reader.url}{TASKS}1/change/")
        page.get_by_role("button", name="Run now").first.click()
        expect(page.get_by_text("is queued.")).to_be_visible()
        newest = page.locator("tr", has=page.get_by_role("link", name=re.compile(r"^#\d+$"))).first
        until(lambda: page.reload() and outcome in newest.inner_text(), within=20, what=newest)
        newest.get_by_role("link").first.click()

    def run_it_now(self):
        self.run_it("Succeeded")
        expect(self.page.locator(".field-result_text")).to_contain_text('"deleted": 0')

    def see_it_fail(self):
        tasks = self.reader.folder / "chores" / "tasks.py"
        right = tasks.read_text()
        line = re.search(r"`(raise .+)` at the end", self.told)[1]
        tasks.write_text(right.replace("    return", f"    {line}\n    return"))
        self.reader.await_reload()
        self.run_it("Failed")
        expect(self.page.locator(".field-error_text")).to_contain_text("RuntimeError: no more room")
        tasks.write_text(right)
        self.reader.await_reload()
        self.run_it_now()


@pytest.fixture
def newcomer(chromium, tmp_path, checkout):  # noqa: F811
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "django-sched-tasks").symlink_to(checkout)
    reader = Reader(folder)
    context = chromium.new_context(locale="en-US", timezone_id="UTC")
    context.set_default_timeout(20_000)
    yield Newcomer(reader, context.new_page())
    context.close()
    reader.close()


def test_from_nothing_to_a_nightly_job(newcomer):
    newcomer.reader.follow(
        PAGE,
        {
            "fill in the form": newcomer.fill_in_the_form,
            "run it now": newcomer.run_it_now,
            "see it fail": newcomer.see_it_fail,
        },
    )
    newcomer.reader.stop()
    newcomer.reader.run("python manage.py check --fail-level WARNING")
