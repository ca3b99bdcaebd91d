"""Take the documentation's pictures again: the example site with seeded tasks, opened in a real browser.

    python docs/make_pictures.py

It needs playwright (the extra `browser`), a font with Chinese characters, and a Chromium: the one that playwright has
installed, or the program that the environment variable CHROMIUM names. The site's database is thrown away afterwards.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
MANAGE = ROOT / "example_project" / "manage.py"
IMAGES = DOCS / "images"
SIZE = {"width": 1280, "height": 660}
RUN_NOW = ("demo-sync", "demo-report", "demo-heartbeat", "demo-broken")
TASKS = "admin/django_sched_tasks/schedulertask/"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, _site(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        page = browser.new_page(viewport=SIZE, locale="en-US", color_scheme="light")
        _log_in(page, url)
        _run_tasks(page, url)
        page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        page.goto(f"{url}{TASKS}")
        page.screenshot(path=IMAGES / "admin-tasks.png")
        _take_overview(page, url)
        _take_form(page, url)
        browser.close()


@contextmanager
def _site(folder: Path) -> Iterator[str]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}/"
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "DB_PATH": str(folder / "db.sqlite3"), "PYTHONPATH": paths}
    for command in (("migrate", "--verbosity", "0"), ("seed_demo",)):
        subprocess.run([sys.executable, MANAGE, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [sys.executable, MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            urlopen(f"{url}admin/login/")
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The example site does not answer on {url}.")


def _log_in(page: Page, url: str) -> None:
    page.goto(f"{url}admin/login/?next=/{TASKS}")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")


def _run_tasks(page: Page, url: str) -> None:
    """Run some tasks over the API, as the user who has logged in, so that the list has something to tell."""
    headers = {"X-CSRFToken": next(item["value"] for item in page.context.cookies() if item["name"] == "csrftoken")}
    api = f"{url}api/scheduler/"
    tasks = page.request.get(f"{api}task/list").json()["results"]
    for task in tasks:
        if task["job_id"] in RUN_NOW:
            page.request.post(f"{api}task/run/{task['id']}", headers=headers)
    for _ in range(100):
        if not any(page.request.get(f"{api}stats/").json()["open"].values()):
            return
        time.sleep(0.1)


def _take_overview(page: Page, url: str) -> None:
    page.goto(f"{url}{TASKS}overview/")
    page.locator(".uplot").last.wait_for()
    page.screenshot(path=IMAGES / "admin-overview.png", full_page=True)


def _take_form(page: Page, url: str) -> None:
    """The form as somebody fills it in; nothing is saved."""
    page.goto(f"{url}{TASKS}add/")
    page.get_by_label("Task name").fill("Tidy old reports")
    page.get_by_role("combobox", name="Function").fill("tidy")
    page.get_by_role("option").first.click()
    page.get_by_label("keep_days").fill("30")
    page.get_by_role("combobox", name="Time zone").fill("Asia/Shanghai")
    page.locator(".sched-words", has_text="Asia/Shanghai").wait_for()
    page.screenshot(path=IMAGES / "admin-form.png", full_page=True)


if __name__ == "__main__":
    main()
