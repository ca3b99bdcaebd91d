"""The Chinese that people read: complete, compiled, in the specification's words, and sentences rather than words."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path
from typing import NamedTuple

import django
import pytest
import rest_framework
from django.apps import apps
from django.utils import translation
from django.utils.translation.template import templatize

import django_sched_tasks
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.triggers import KINDS, describe

PACKAGE = Path(django_sched_tasks.__file__).parent
SOURCE = PACKAGE / "locale/zh_Hans/LC_MESSAGES/django.po"

_PLACEHOLDER = re.compile(r"%\(\w+\)\w|%[-+.0-9]*[a-z]|\{\w+\}")
_IN_TEMPLATES = re.compile(r"\bu?n?gettext\((u?(?:'[^']*'|\"[^\"]*\"))[,)]|\b_\((u?(?:'[^']*'|\"[^\"]*\"))\)")


class Message(NamedTuple):
    id: str
    text: str
    context: str = ""
    plural: str = ""
    comments: str = ""

    @property
    def key(self):
        """As the compiled catalogue has it."""
        key = f"{self.context}\x04{self.id}" if self.context else self.id
        return (key, 0) if self.plural else key


def read(source):
    """The messages of a catalogue's source, without its header."""
    messages = []
    for entry in source.read_text(encoding="utf-8").split("\n\n")[1:]:
        parts = {}
        for word, quoted in re.findall(r'^(msg\w+(?:\[\d\])?) ((?:".*"\n?)+)', entry, re.MULTILINE):
            parts[word] = "".join(ast.literal_eval(line) for line in quoted.splitlines())
        text = parts.get("msgstr", parts.get("msgstr[0]"))
        comments = "\n".join(line for line in entry.splitlines() if line.startswith("#"))
        messages.append(
            Message(parts["msgid"], text, parts.get("msgctxt", ""), parts.get("msgid_plural", ""), comments)
        )
    return messages


MESSAGES = read(SOURCE)


def compiled(path):
    with path.open("rb") as file:
        return {key: text for key, text in gettext.GNUTranslations(file)._catalog.items() if key}


def said_in_python():
    """(context, text) of every message that the code names."""
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            texts = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            if texts and (name == "_" or name.startswith(("gettext", "ngettext"))):
                yield "", texts[0]
            elif texts and name.startswith("pgettext"):
                yield texts[0], texts[1]


def said_in_templates():
    for path in PACKAGE.rglob("*.html"):
        for found in _IN_TEMPLATES.findall(templatize(path.read_text(encoding="utf-8"))):
            yield "", ast.literal_eval("".join(found))


def test_the_catalogue_holds_what_is_said_and_nothing_else():
    """Where it does not, the head of the catalogue says what to do."""
    said = {*said_in_python(), *said_in_templates()}
    held = {(message.context, message.id) for message in MESSAGES}
    assert sorted(said - held) == []
    assert sorted(held - said) == []


def test_every_message_is_translated():
    assert "#~" not in SOURCE.read_text(encoding="utf-8")
    assert [message.id for message in MESSAGES if not message.text or "fuzzy" in message.comments] == []


def test_the_compiled_catalogue_is_that_of_the_source():
    assert compiled(SOURCE.with_suffix(".mo")) == {message.key: message.text for message in MESSAGES}


def test_placeholders_are_kept():
    """One form for any number: of a text with a plural, the placeholders of that."""
    wrong = [m for m in MESSAGES if placeholders(m.text) not in (placeholders(m.id), placeholders(m.plural or m.id))]
    assert wrong == []


def placeholders(text):
    """Those of a text; only named ones may change places."""
    found = _PLACEHOLDER.findall(text)
    return sorted(found) if all("(" in one or "{" in one for one in found) else found


def test_what_django_says_too_is_said_alike():
    """All catalogues become one: another word here would change a host's other pages."""
    theirs = {}
    for package in (django, rest_framework):
        for path in Path(package.__file__).parent.rglob("locale/zh_Hans/LC_MESSAGES/django.mo"):
            for key, text in compiled(path).items():
                theirs.setdefault(key, []).append(text)
    assert [message for message in MESSAGES if message.text not in theirs.get(message.key, [message.text])] == []


@pytest.fixture
def in_chinese():
    with translation.override("zh-hans"):
        yield


# The words of the specification.
TASK_FIELDS = {
    "name": "任务名称",
    "job_id": "任务ID",
    "func": "执行函数",
    "trigger": "触发器类型",
    "trigger_args": "触发器参数",
    "status": "状态",
    "last_run": "上次执行时间",
    "next_run": "下次执行时间",
}


@pytest.mark.usefixtures("in_chinese")
def test_the_words_are_those_of_the_specification():
    meta = SchedulerTask._meta
    assert {name: str(meta.get_field(name).verbose_name) for name in TASK_FIELDS} == TASK_FIELDS
    assert (meta.verbose_name, TaskExecution._meta.verbose_name) == ("调度任务", "任务执行日志")
    assert apps.get_app_config("django_sched_tasks").verbose_name == "任务调度"
    labels = {name: str(KINDS[name].label) for name in ("cron", "interval", "date")}
    assert labels == {"cron": "Cron 表达式", "interval": "固定间隔", "date": "指定时间"}


SENTENCES = [
    ("cron", {"hour": "2", "minute": "0"}, "每天 02:00 (Asia/Shanghai)"),
    ("cron", {"hour": "9,18", "minute": 30}, "每天 09:30、18:30 (Asia/Shanghai)"),
    ("cron", {"day_of_week": "mon-fri", "hour": 9}, "每星期一至星期五 09:00 (Asia/Shanghai)"),
    (
        "cron",
        {"minute": "*/5", "hour": "9-17", "day_of_week": "0-4"},
        "每星期一至星期五 9-17 时，每 5 分钟 (Asia/Shanghai)",
    ),
    ("cron", {"day": 1}, "每月1日 00:00 (Asia/Shanghai)"),
    ("cron", {"day": "last", "month": "3,6"}, "三月、六月 最后一天 00:00 (Asia/Shanghai)"),
    ("cron", {"month": 3, "hour": 9}, "三月每天 09:00 (Asia/Shanghai)"),
    ("cron", {"day": "2nd fri"}, "每月第二个星期五 00:00 (Asia/Shanghai)"),
    ("cron", {"hour": "*/6", "minute": 15}, "每 6 小时的第 15 分 (Asia/Shanghai)"),
    ("crontab", {"expression": "30 9 * * mon-fri"}, "每星期一至星期五 09:30 (Asia/Shanghai)"),
    ("crontab", {"expression": "0 22 * * 1,3,5"}, "每星期一、星期三、星期五 22:00 (Asia/Shanghai)"),
    ("crontab", {"expression": "0 0 13 * 5"}, "每月13日或星期五 00:00 (Asia/Shanghai)"),
    ("crontab", {"expression": "0 0 */2 * 5"}, "每月*/2日且为星期五 00:00 (Asia/Shanghai)"),
    ("crontab", {"expression": "0 0 * * 5L"}, "每月最后一个星期五 00:00 (Asia/Shanghai)"),
    ("crontab", {"expression": "@yearly"}, "一月 1日 00:00 (Asia/Shanghai)"),
    ("crontab", {"expression": "*/15 * * * *"}, "每 15 分钟 (Asia/Shanghai)"),
    ("interval", {"seconds": 90}, "每 90 秒"),
    ("interval", {"hours": 1}, "每小时"),
    ("interval", {"days": 1, "start_date": "2027-01-01"}, "每天，自 2027-01-01 00:00 起 (Asia/Shanghai)"),
    ("date", {"run_date": "2027-01-31 09:00"}, "2027-01-31 09:00 执行一次 (Asia/Shanghai)"),
    ("calendarinterval", {"months": 1, "hour": 9}, "每月 09:00 (Asia/Shanghai)"),
    ("or", KINDS["or"].example, "以下任一：每天 02:00 (Asia/Shanghai)；每 8 小时"),
]


@pytest.mark.usefixtures("in_chinese")
@pytest.mark.parametrize(("trigger", "args", "sentence"), SENTENCES)
def test_triggers_are_told_in_sentences(trigger, args, sentence):
    assert describe(trigger, args, timezone="Asia/Shanghai") == sentence


def test_the_admin_speaks_chinese(client, staff, make):
    make()
    client.force_login(staff)
    page = client.get("/admin/django_sched_tasks/schedulertask/", headers={"accept-language": "zh-hans"}).text
    for words in ("任务调度", "调度任务", "任务名称", "下次执行时间", "立即执行所选的任务"):
        assert words in page


def test_the_api_refuses_in_chinese(staff_api):
    body = {"name": "Task", "func": "tests.zoo.tasks:no_such", "trigger": "cron", "trigger_args": {"hour": 25}}
    headers = {"accept-language": "zh-hans"}
    answer = staff_api.post("/api/scheduler/task/add", body, format="json", headers=headers).json()
    assert answer["func"][0] == "模块 'tests.zoo.tasks' 中没有函数 'no_such'。"
    assert answer["trigger_args"][0].startswith("hour：25 无效。")
