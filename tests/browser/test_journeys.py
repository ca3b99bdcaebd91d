"""What people who have never seen it want to do: each a journey from where they are to where they want to be."""

import re
import time
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import expect

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerTask, TaskExecution, TaskStatus
from tests.browser.conftest import ADMIN


def test_from_login_to_a_daily_report_at_eight_in_shanghai(visitor, wang, scheduler):
    began = time.monotonic()
    person = visitor()
    page = person.open("/admin/")
    page.fill("#id_username", "wang")
    page.fill("#id_password", "secret")
    page.click("[type=submit]")
    page.get_by_role("link", name="Scheduled tasks", exact=True).last.click()
    page.get_by_role("link", name="Add scheduled task").click()
    page.get_by_label("Task name").fill("Daily report")
    page.get_by_role("combobox", name="Function").press_sequentially("report zoo")
    page.get_by_role("option", name=re.compile("^report ")).click()
    expect(page.get_by_text("It wants at least one copy.")).to_be_visible()
    page.get_by_label("kind", exact=True).select_option("stock")
    page.get_by_label("copies", exact=True).fill("2")
    page.get_by_label("Time zone").fill("Asia/Shanghai")
    expect(page.get_by_text("Every day at 08:00 (Asia/Shanghai)")).to_be_visible()
    expect(page.locator(".sched-times li")).to_have_count(10)
    expect(page.locator(".sched-times li").first).to_contain_text("08:00:00")
    person.shot()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    person.shot()

    task = SchedulerTask.objects.get()
    assert (task.trigger, task.trigger_args, task.timezone) == ("cron", {"hour": "8", "minute": "0"}, "Asia/Shanghai")
    assert (task.kwargs, task.args) == ({"kind": "stock", "copies": 2}, [])
    assert task.next_run.hour == 0
    assert time.monotonic() - began < 60


def test_a_typo_in_a_crontab_line_is_told_before_saving(visitor, wang):
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/add/")
    page.get_by_role("tab", name="Crontab expression").click()
    line = page.get_by_role("textbox", name="Expression")
    line.fill("*/5 9-17 * * mon-fry")
    told = page.locator(".sched-preview")
    expect(told).to_contain_text("A right one: '*/5 9-17 * * mon-fri'")
    line.fill("*/5 9-17 * mon-fri")
    expect(told).to_contain_text("such as '*/5 9-17 * * mon-fri'")
    person.shot()
    line.fill("*/5 9-17 * * mon-fri")
    expect(told).to_contain_text("Next fire times in UTC")
    expect(told.locator("li")).to_have_count(10)
    person.shot()


def test_why_last_nights_run_failed_then_mend_and_watch(visitor, wang, make_task, scheduler):
    task = make_task("Stock report", func="tests.zoo.tasks:report", kwargs={"kind": "stock", "copies": 0})
    operations.run_task(task.pk)
    scheduler()
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/")
    page.get_by_role("link", name="Failed", exact=True).click()
    expect(page.locator(".field-error_text")).to_contain_text("copies is 0; a report needs at least one.")
    expect(page.locator(".sched-frame-own").first).to_contain_text("zoo")
    person.shot()

    page.get_by_role("link", name="Run with other arguments").click()
    expect(page.get_by_label("copies", exact=True)).to_have_value("0")
    page.get_by_label("copies", exact=True).fill("3")
    page.get_by_label("Keep them").check()
    person.shot()
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#sched-course")).to_contain_text("Queued")
    scheduler()
    expect(page.locator("#sched-course")).to_contain_text("Succeeded")  # the page sees it by itself
    expect(page.locator(".field-result_text")).to_contain_text("3 x stock")
    person.shot()
    assert SchedulerTask.objects.get().kwargs == {"kind": "stock", "copies": 3}


def test_a_run_is_watched_as_its_output_grows(visitor, wang, make_task, make_execution):
    now = timezone.now()
    running = {"status": "running", "finished_at": None, "duration": None, "output": "first line\n"}
    execution = make_execution(make_task(), started_at=now - timedelta(seconds=3), **running)
    rows = TaskExecution.objects.filter(pk=execution.pk)
    person = visitor(wang)
    page = person.open(f"{ADMIN}taskexecution/{execution.pk}/change/")
    output = page.locator("#sched-output")
    expect(output).to_have_text("first line\n")
    page.evaluate("document.getElementById('sched-output').dataset.stays = 'yes'")
    rows.update(output="first line\nsecond line\n", progress={"done": 3, "total": 10, "message": "third of ten"})
    expect(output).to_have_text("first line\nsecond line\n")
    expect(page.locator(".sched-progress")).to_contain_text("30% · 3 / 10 · third of ten")
    assert output.get_attribute("data-stays") == "yes"
    person.shot()
    rows.update(status="succeeded", finished_at=timezone.now(), duration=4.0, result="done")
    expect(page.locator(".field-result_text")).to_contain_text("done")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_pause_all_of_one_kind_with_a_note_resume_and_see_who(visitor, wang, make_task):
    for number in range(3):
        make_task(f"Sync {number}", trigger="interval", trigger_args={"hours": 1})
    other = make_task("Report")
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/")
    page.locator("#changelist-filter").get_by_role("link", name="Interval", exact=True).click()
    page.locator("#action-toggle").check()
    page.locator('select[name="action"]').first.select_option("pause")
    page.get_by_label("Note for the pause").first.fill("Moving the database")
    page.locator('button[name="index"]').first.click()
    expect(page.get_by_text("3 tasks are paused.")).to_be_visible()
    expect(page.get_by_text("Moving the database")).to_have_count(3)
    person.shot()
    other.refresh_from_db()
    assert other.status == TaskStatus.ACTIVE

    page.get_by_role("button", name="Resume: Sync 1").click()
    expect(page.get_by_text("1 task is active again.")).to_be_visible()
    assert "trigger=interval" in page.url  # back where one was
    page.get_by_role("link", name="Sync 1").click()
    page.get_by_role("link", name="History").click()
    expect(page.locator("#change-history")).to_contain_text("Paused. Moving the database")
    expect(page.locator("#change-history")).to_contain_text("Resumed.")
    expect(page.locator("#change-history")).to_contain_text("wang")
    person.shot()


def test_pause_one_from_its_row_with_a_note(visitor, wang, make_task):
    task = make_task()
    page = visitor(wang).open(f"{ADMIN}schedulertask/")
    page.get_by_text("Pause", exact=True).first.click()
    page.get_by_label("Note (optional)").fill("Not today")
    page.get_by_label("Note (optional)").press("Enter")
    expect(page.get_by_text("1 task is paused.")).to_be_visible()
    task.refresh_from_db()
    assert task.pause_note == "Not today"


def test_stop_a_run_that_hangs(visitor, wang, make_task, make_execution):
    task = make_task("Hangs")
    running = {"status": "running", "finished_at": None, "duration": None}
    execution = make_execution(task, started_at=timezone.now() - timedelta(hours=2), **running)
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/overview/")
    page.get_by_role("link", name=f"Hangs #{execution.pk}").click()
    expect(page.locator("#sched-course")).to_contain_text("running for 2 h")
    page.get_by_role("button", name="Cancel").click()
    execution.refresh_from_db()
    asked = execution.cancel_requested_at is not None
    expected = "The run was asked to end" if asked else "only one that has not started can be cancelled"
    expect(page.locator(".messagelist")).to_contain_text(expected)
    person.shot()


def test_a_waiting_one_is_cancelled(visitor, wang, make_task):
    execution = operations.run_task(make_task().pk)
    page = visitor(wang).open(f"{ADMIN}taskexecution/{execution.pk}/change/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The execution is cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_find_a_task_that_is_late_and_why(visitor, wang, make_task):
    task = make_task("Late one", trigger="interval", trigger_args={"hours": 1})
    make_task("Punctual one")
    SchedulerTask.objects.filter(pk=task.pk).update(next_run=timezone.now() - timedelta(minutes=10))
    waits = operations.run_task(make_task("Waits", queue="mail").pk)
    TaskExecution.objects.filter(pk=waits.pk).update(run_at=timezone.now() - timedelta(minutes=5))
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/")
    page.locator("#changelist-filter").get_by_role("link", name="Late", exact=True).click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="Punctual one")).to_have_count(0)
    page.get_by_role("link", name="Overview").click()
    late = page.get_by_role("row", name=re.compile("Late one"))
    expect(late).to_contain_text("10 minutes")
    expect(late).to_contain_text("No scheduler is running.")
    expect(page.get_by_role("row", name=re.compile("Waits"))).to_contain_text("No scheduler is running.")
    expect(page.locator(".sched-health")).to_contain_text("Not running")
    person.shot()


def test_by_keyboard_only(visitor, wang, scheduler):
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/add/")
    press, type_ = page.keyboard.press, page.keyboard.type
    expect(page.get_by_role("combobox", name="Function")).to_have_attribute("role", "combobox")
    page.get_by_label("Task name").focus()
    type_("By keys")
    press("Tab")
    type_("zoo add")
    expect(page.get_by_role("option").first).to_be_visible()
    press("Enter")  # the first that fits
    expect(page.get_by_role("combobox", name="Function")).to_have_value("tests.zoo.tasks:add")
    press("Tab")
    type_("7")
    for _ in range(20):
        press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "tab":
            break
    press("ArrowRight")
    press("ArrowRight")
    expect(page.get_by_role("tab", name="Interval", exact=True)).to_have_attribute("aria-selected", "true")
    expect(page.locator(".sched-words")).to_have_text("Every 5 minutes")
    person.shot()
    press("Enter")
    page.get_by_label("Task name").focus()
    press("Enter")
    expect(page.get_by_text("was added successfully")).to_be_visible()
    task = SchedulerTask.objects.get()
    assert (task.kwargs, task.trigger, task.trigger_args) == ({"a": 7}, "interval", {"minutes": 5})

    page.get_by_role("button", name="Run now: By keys").focus()
    press("Enter")
    expect(page.get_by_text("1 execution is queued.")).to_be_visible()


def test_half_an_hour_before_sunset_but_not_at_weekends(visitor, wang):
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/add/")
    page.get_by_label("Task name").fill("Lights")
    page.get_by_role("combobox", name="Function").press_sequentially("ok zoo")
    page.get_by_role("option", name=re.compile("^ok ")).first.click()
    page.get_by_role("tab", name="By the sun").click()
    page.get_by_label("Event", exact=True).select_option("Sunset")
    page.get_by_label("Latitude").fill("52.52")
    page.get_by_label("Longitude").fill("-13.4")
    page.get_by_label("Offset, in seconds").fill("-1800")
    told = page.locator(".sched-preview")
    expect(told).to_contain_text("30 minutes before: Sunset at 52.52° N, 13.4° W")
    page.get_by_text("Change the policies").click()
    page.get_by_label("Exclusions").fill('[{"weekdays": ["sat", "sun"], "note": "Closed"}]')
    page.get_by_label("Exclusions").press("Tab")
    expect(told).to_contain_text("Excluded: it will be skipped (Closed).")
    person.shot()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()

    task = SchedulerTask.objects.get()
    assert task.trigger_args == {"event": "sunset", "latitude": 52.52, "longitude": -13.4, "offset": -1800}
    page = person.open(f"{ADMIN}schedulertask/{task.pk}/change/")
    expect(page.get_by_label("Offset, in seconds")).to_have_value("-1800")
    expect(page.get_by_label("Event", exact=True)).to_have_value("sunset")


def test_everything_is_held_for_an_hour(visitor, wang):
    person = visitor(wang)
    page = person.open(f"{ADMIN}schedulertask/overview/")
    page.get_by_text("Maintenance", exact=True).click()
    page.get_by_label("Until").fill(f"{timezone.localtime() + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.get_by_label("Note").fill("New disks")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("(New disks, wang)").first).to_be_visible()
    person.shot()
    page.get_by_role("button", name="End the maintenance now").click()
    expect(page.get_by_text("work goes on")).to_be_visible()
    expect(page.get_by_text("(New disks, wang)")).to_have_count(0)


def test_without_javascript_the_fields_are_plain(chromium, live_server, visitor, wang):
    person = visitor(wang)
    cookies = person.page.context.cookies()
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"{live_server.url}{ADMIN}schedulertask/add/")
    page.get_by_label("Task name").fill("Plain")
    page.get_by_role("combobox", name="Function").fill("tests.zoo.tasks:add")
    page.get_by_label("Positional arguments").fill("[]")
    page.get_by_label("Keyword arguments").fill('{"a": 1}')
    page.get_by_label("Trigger type").select_option("crontab")
    page.get_by_label("Trigger arguments").fill('{"expression": "61 * * * *"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-trigger_args .errorlist")).to_contain_text("is not valid")
    page.get_by_label("Trigger arguments").fill('{"expression": "1 * * * *"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    context.close()
    assert SchedulerTask.objects.get().kwargs == {"a": 1}


def test_who_may_only_look_finds_no_dead_button(visitor, reader, make_task, make_execution):
    task = make_task()
    execution = make_execution(task, status="failed", error="no")
    person = visitor(reader)
    pages = (
        "schedulertask/",
        f"schedulertask/{task.pk}/change/",
        f"schedulertask/{task.pk}/week/",
        "schedulertask/overview/",
        "taskexecution/",
        f"taskexecution/{execution.pk}/change/",
    )
    for path in pages:
        page = person.open(ADMIN + path)
        found = page.locator("#content button, #content input[type=submit], .object-tools button").all_inner_texts()
        assert [text for text in found if text.strip()] == []
        for link in page.locator("#content a[href^='/'], .object-tools a").all():
            assert page.request.get(person.base + link.get_attribute("href")).status == 200
    person.shot()


def test_a_hidden_tab_asks_for_nothing(visitor, wang, make_task):
    make_task()
    person = visitor(wang)
    asked = []
    person.page.on("request", lambda request: "/live/" in request.url and asked.append(request.url))
    page = person.open(f"{ADMIN}schedulertask/overview/")
    page.locator("[data-sched-live]").wait_for(state="attached")
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => window.isAway });
            window.isAway = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(5500)
    assert asked == []
    with page.expect_request(re.compile("/overview/live/")):
        page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
