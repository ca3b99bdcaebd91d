"""Every page of ours in every dress: wide and narrow, light and dark, in Chinese, by axe, and within other admins."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution
from tests.browser.conftest import ADMIN, DESKTOP, PHONE

TRACEBACK = 'Traceback (most recent call last):\n  File "tasks.py", line 1, in run\n    1 / 0\nZeroDivisionError: no\n'


@pytest.fixture
def pages(make_task, make_execution):
    """Something of everything, and the addresses where it is shown."""
    now = timezone.now()
    SchedulerNode.objects.create(
        host="web-1", pid=1, started_by="test", started_at=now, heartbeat_at=now, loop_at=now, slots=10
    )
    report = make_task("Stock report", func="tests.zoo.tasks:report", kwargs={"kind": "stock"}, max_retries=2)
    sync = make_task("Nightly sync", trigger="interval", trigger_args={"hours": 6})
    for hours in range(12):
        ended = now - timedelta(hours=hours)
        bad = {"status": "failed", "error": "no", "traceback": TRACEBACK} if hours < 4 else {}
        times = {"fire_at": ended, "run_at": ended, "queued_at": ended, "started_at": ended, "finished_at": ended}
        make_execution(report, **times, **bad)
    make_execution(sync, status="skipped", reason="overlap", started_at=None, duration=None)
    running = {"status": "running", "finished_at": None, "duration": None, "output": "line\n" * 40}
    going = make_execution(sync, **running, progress={"done": 1, "total": 4, "message": "one"})
    operations.pause_task(make_task("Paused").pk, note="Nobody reads it.")
    failed = TaskExecution.objects.filter(status="failed").first()
    return {
        "list": "schedulertask/",
        "overview": "schedulertask/overview/",
        "add": "schedulertask/add/",
        "change": f"schedulertask/{report.pk}/change/",
        "week": f"schedulertask/{sync.pk}/week/",
        "run-with": f"schedulertask/{report.pk}/run-with/",
        "executions": "taskexecution/",
        "failed": f"taskexecution/{failed.pk}/change/",
        "running": f"taskexecution/{going.pk}/change/",
        "nodes": "schedulernode/",
    }


def settle(page, name):
    """Wait until the page's scripts have drawn."""
    if name in ("add", "change"):
        page.get_by_role("combobox", name="Function").wait_for()
        page.locator(".sched-preview:not(:empty)").wait_for()
        page.locator(".sched-arguments").wait_for()
    if name == "overview":
        page.locator(".uplot").last.wait_for()


def violations(page, only=None):
    """What axe finds in what we render: the header and the sidebar are Django's."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": only} if only else {})
    found = Axe().run(page, context={"include": [["#content"]]}, options=options).response["violations"]
    return [(one["id"], node["html"][:200], node["failureSummary"][:200]) for one in found for node in one["nodes"]]


def test_every_page_is_accessible_and_fits(visitor, wang, pages):
    """All of axe's rules at each width, and in the other light those that colours decide."""
    person = visitor(wang)
    found = {}
    for name, path in pages.items():
        page = person.open(ADMIN + path)
        settle(page, name)
        for size, scheme, only in (
            (DESKTOP, "light", None),
            (DESKTOP, "dark", ["color-contrast"]),
            (PHONE, "dark", None),
            (PHONE, "light", ["color-contrast"]),
        ):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(250)  # the admin's links fade from one colour to the other
            if only is None:
                person.shot()
            found[name, size["width"], scheme] = violations(page, only)
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, (name, size)
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
    assert [(*dress, *one) for dress, wrong in found.items() for one in wrong] == []


def test_every_part_of_the_form_is_accessible(visitor, wang):
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/add/")
    settle(page, "add")
    page.get_by_role("combobox", name="Function").click()
    assert violations(page) == []
    page.get_by_role("option", name="report").first.click()
    for kind in (
        "Crontab expression",
        "Interval",
        "Once",
        "Calendar interval",
        "Any of several triggers",
        "After another task",
    ):
        page.get_by_role("tab", name=kind, exact=True).click()
        page.wait_for_timeout(400)
        assert violations(page) == [], kind


def test_one_task_after_another(visitor, wang, make_task):
    make_task("First", job_id="first")
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/add/")
    settle(page, "add")
    page.get_by_label("Task name").fill("Second")
    page.get_by_role("combobox", name="Function").fill("tests.zoo.tasks:ok")
    page.get_by_role("tab", name="After another task", exact=True).click()
    page.get_by_label("Job id of the other task").fill("first")
    page.get_by_label("When it has").select_option("finished")
    expect(page.locator(".sched-preview")).to_contain_text("After first has ended")
    person.shot()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert SchedulerTask.objects.get(name="Second").trigger_args == {"job_id": "first", "outcome": "finished"}


def test_everything_is_chinese_for_who_reads_chinese(visitor, wang, pages):
    person = visitor(wang, locale="zh-CN", size=PHONE, scheme="dark")
    for path in pages.values():
        page = person.open(ADMIN + path)
        assert page.locator("html").get_attribute("lang") == "zh-hans"
        person.shot()
    page = person.open(f"{ADMIN}schedulertask/add/")
    expect(page.get_by_text("任务名称")).to_be_visible()
    expect(page.get_by_text("触发器类型:", exact=True)).to_be_visible()
    expect(page.locator(".sched-preview")).to_contain_text("08:00")


def test_charts_follow_the_theme_and_new_data(visitor, wang, make_task, make_execution):
    task = make_task()
    make_execution(task)
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/overview/")
    expect(page.locator(".sched-totals")).to_contain_text("1 succeeded, 0 failed")
    page.evaluate("document.querySelector('#sched-part-health > *').stays = 'yes'")
    make_execution(task, status="failed", fire_at=timezone.now())
    expect(page.locator(".sched-totals")).to_contain_text("1 succeeded, 1 failed", timeout=8000)
    assert page.evaluate("document.querySelector('#sched-part-health > *').stays") == "yes"  # the same is left alone
    before = page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    page.locator("button.theme-toggle").first.click()
    page.wait_for_timeout(200)
    assert page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()") != before


def test_within_a_site_of_its_own(visitor, wang, settings, make_task, make_execution):
    settings.ROOT_URLCONF = "tests.browser.office_urls"
    task = make_task()
    execution = make_execution(task)
    person = visitor(wang)
    office = "/office/django_sched_tasks/"
    page = person.open(f"{office}schedulertask/")
    page.get_by_role("link", name="Overview").click()
    expect(page.locator(".uplot")).to_have_count(3)
    page = person.open(f"{office}schedulertask/{task.pk}/change/")
    settle(page, "change")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("1 execution is queued.")).to_be_visible()
    assert office in page.url
    page = person.open(f"{office}taskexecution/{execution.pk}/change/")
    page.get_by_role("link", name="Run with other arguments").click()
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#sched-course")).to_be_visible()
    assert office in page.url
    person.shot()


@pytest.fixture
def unfold_site(tmp_path, free_port):
    """A site with django-unfold, served by a process of its own: unfold takes the admin's place as it starts."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.browser.unfold_settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'unfold.sqlite3'}",
        "SCHED_TASKS_AUTO_START": "0",
        "PYTHONPATH": os.pathsep.join(path for path in (os.getcwd(), os.environ.get("PYTHONPATH", "")) if path),
    }
    run = [sys.executable, "-m", "django"]
    subprocess.run([*run, "migrate", "--verbosity", "0"], env=environment, check=True)
    subprocess.run([*run, "seed_demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [*run, "runserver", "--noreload", f"127.0.0.1:{free_port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{free_port}"
    try:
        for _ in range(100):
            try:
                urlopen(f"{base}/admin/login/")
                break
            except URLError:
                time.sleep(0.2)
        yield base
    finally:
        server.terminate()
        server.wait()


def test_beside_django_unfold(visitor, unfold_site):
    person = visitor(base=unfold_site)
    page = person.open("/admin/login/?next=/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    page = person.open(f"{ADMIN}schedulertask/")
    expect(page.get_by_role("link", name="Heartbeat")).to_be_visible()
    person.shot()
    page = person.open(f"{ADMIN}schedulertask/overview/")
    expect(page.locator(".uplot")).to_have_count(3)
    expect(page.locator(".sched-health")).to_contain_text("Not running")
    person.shot()
    page = person.open(f"{ADMIN}schedulertask/add/")
    settle(page, "add")
    page.get_by_label("Task name").fill("In unfold")
    page.get_by_role("combobox", name="Function").fill("tidy_reports")
    page.get_by_role("option", name="tidy_reports").first.click()
    page.get_by_label("keep_days").fill("30")
    person.shot()
    page.get_by_role("button", name="Save", exact=True).click()
    page = person.open(f"{ADMIN}schedulertask/")
    page.get_by_role("link", name="In unfold").click()
    expect(page.get_by_label("keep_days")).to_have_value("30")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("1 execution is queued.")).to_be_visible()
    page = person.open(f"{ADMIN}taskexecution/")
    page.get_by_role("link", name="#1", exact=True).first.click()
    expect(page.locator("#sched-course")).to_contain_text("Queued")
    person.shot()
