"""Pages opened in a real browser, on a server of the test's own, under a strict Content-Security-Policy.

Whatever a page writes to the console as an error, and every request that fails, fails the test. Screenshots go to the
folder that the environment variable SCREENSHOTS names, else beside this file; CHROMIUM names the browser's program.
"""

import os
import re
import socket
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from playwright.sync_api import sync_playwright

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerNode, TaskExecution
from django_sched_tasks.testing import ManualScheduler

# Playwright's loop runs in the test's thread; Django would take that for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parent / "screenshots")
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
ADMIN = "/admin/django_sched_tasks/"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def strict_csp(settings):
    settings.MIDDLEWARE = ["tests.browser.csp.strict", *settings.MIDDLEWARE]


class Visitor:
    """A person at a browser: a page, and what went wrong on it."""

    def __init__(self, context, base, name):
        self.page = context.new_page()
        self.base = base
        self.wrong = []
        self.expected = []
        self._name = name
        self._shots = 0
        self.page.on("console", lambda told: told.type == "error" and self.wrong.append(f"console: {told.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", lambda got: got.status >= 400 and self.wrong.append(f"{got.status}: {got.url}"))

    def _failed(self, request):
        # A page that is left takes its requests with it; that is no failure.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.wrong.append(f"failed: {request.url} {request.failure}")

    def open(self, path):
        self.page.goto(self.base + path)
        return self.page

    def shot(self):
        """A picture of the whole page, kept as an artefact."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self._shots += 1
        self.page.screenshot(path=SCREENSHOTS / f"{self._name}-{self._shots}.png", full_page=True)


@pytest.fixture
def visitor(request, chromium, live_server, transactional_db):
    """Makes a person at a browser: ``visitor(user, size=, scheme=, locale=)``; without a user nobody has logged in."""
    made = []

    def make(user=None, *, size=DESKTOP, scheme="light", locale="en-US", base=None):
        options = {"viewport": size, "color_scheme": scheme, "locale": locale, "timezone_id": "UTC"}
        context = chromium.new_context(**options)
        context.set_default_timeout(10_000)
        # The admin has no icon, and a browser asks for one.
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = {"name": django_settings.SESSION_COOKIE_NAME, "url": base or live_server.url}
            context.add_cookies([{**cookie, "value": client.cookies[cookie["name"]].value}])
        name = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
        one = Visitor(context, base or live_server.url, name if not made else f"{name}-{len(made) + 1}")
        made.append((context, one))
        return one

    yield make
    wrong = [line for _, one in made for line in one.wrong if not any(part in line for part in one.expected)]
    for context, _ in made:
        context.close()
    assert wrong == []


@pytest.fixture
def wang(transactional_db):
    """An administrator."""
    return get_user_model().objects.create_superuser("wang", "wang@example.com", "secret")


@pytest.fixture
def reader(transactional_db):
    """Staff who may view everything here and do nothing."""
    user = get_user_model().objects.create_user("reader", is_staff=True)
    names = ("view_schedulertask", "view_taskexecution", "view_schedulernode")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def make_task(transactional_db):
    def make(name="Nightly sync", **fields):
        given = {"func": "tests.zoo.tasks:ok", "trigger": "cron", "trigger_args": {"hour": "2"}, **fields}
        return operations.add_task(name=name, **given)

    return make


@pytest.fixture
def make_execution(transactional_db):
    def make(task, **fields):
        now = timezone.now()
        names = {"task": task, "task_name": task.name, "job_id": task.job_id, "func": task.func, "kind": "schedule"}
        times = {"fire_at": now, "run_at": now, "queued_at": now, "started_at": now, "finished_at": now}
        return TaskExecution.objects.create(**{**names, **times, "status": "succeeded", "duration": 0.25, **fields})

    return make


@pytest.fixture
def scheduler(transactional_db):
    """A scheduler whose passes the test calls; to the pages it is a node that lives."""
    scheduler = ManualScheduler(now=timezone.now())

    def run():
        scheduler.now = timezone.now()
        SchedulerNode.objects.update(heartbeat_at=scheduler.now, loop_at=scheduler.now)
        return scheduler.tick()

    run()
    return run


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
