"""The security boundary: what a path may not name, and that asking never imports what it may not."""

from __future__ import annotations

import sys

import pytest

from django_sched_tasks import registry
from django_sched_tasks.exceptions import FunctionNotFound

REFUSED = {
    "os:system": "no task module",
    "subprocess:call": "no task module",
    "subprocess:Popen": "no task module",
    "builtins:eval": "no task module",
    "posix:system": "no task module",
    "django_sched_tasks.registry:clear_cache": "no task module",
    "django_sched_tasks.service:shutdown_scheduler": "no task module",
    "depot.tasks:os.system": "not the path of a function",
    "warehouse.tasks:os.system": "not the path of a function",
    "depot.tasks:Clerk.greet": "not the path of a function",
    "depot.tasks.os:system": "no module 'depot.tasks.os'",
    "depot.tasks:call": "defined in 'depot.tasks' but in 'subprocess'",
    "depot.tasks:sell": "but in 'guild.shop.tasks'",
    "depot.jobs:report": "but in 'depot.jobs.daily'",
    "depot.tasks:wipe": "but in 'shutil'",
    "depot.tasks:disguised_wipe": "but in 'shutil'",
    "depot.tasks:_secret": "private",
    "depot.tasks:__builtins__": "private",
    "depot.tasks:__import__": "private",
    "depot._hidden.tasks:peek": "private",
    "__main__:main": "private",
    "depot.tasks:Clerk": "is a class",
    "depot.tasks:clerk": "is a Clerk",
    "depot.tasks:greet": "is a method",
    "depot.tasks:short": "is a lambda",
    "depot.tasks:partial": "is a partial",
    "depot.tasks:cached": "is a _lru_cache_wrapper",
    "depot.tasks:length": "is a builtin_function_or_method",
    "depot.tasks:itemgetter": "is a class",
    "depot.tasks:os": "is a module",
    "depot.tasks:number": "is a int",
    "depot.tasks:lines": "is a generator",
    "depot.tasks:gone": "no function 'gone'",
    "depot.views:index": "no task module",
    "depot.services:bill": "no task module",
    "depot.module:sync": "no task module",
    "depot:tasks": "no task module",
    "guild.tasks:plot": "no task module",
    "depot.tasks.gone:restock": "no module 'depot.tasks.gone'",
    "depot.jobs.gone:restock": "no module 'depot.jobs.gone'",
    "nowhere.tasks:run": "no task module",
    "depot.module.broken:fix": "cannot be imported: RuntimeError: the shelves are gone",
    "depot.tasks.restock": "not the path of a function",
    "depot.tasks:": "not the path of a function",
    ":restock": "not the path of a function",
    "": "not the path of a function",
    "depot.tasks:restock:x": "not the path of a function",
    "depot.tasks:restock()": "not the path of a function",
    " depot.tasks:restock": "not the path of a function",
    "depot..tasks:restock": "not the path of a function",
    "../depot/tasks:restock": "not the path of a function",
    "depot.tasks:rest\x00ock": "not the path of a function",
    "depot.tasks:\ud800": "not the path of a function",
    "depot.tasks:" + "x" * 300: "255 are allowed",
}


@pytest.mark.parametrize(("path", "words"), REFUSED.items(), ids=[ascii(path)[:60] for path in REFUSED])
def test_a_refused_path_is_explained(path, words, reason):
    text = reason(path)
    assert words in text
    assert "@schedulable" in text
    assert "ALLOWED_FUNCS" in text


@pytest.mark.parametrize("path", [None, 3, True, ["x"], {"a": 1}, b"depot.tasks:restock", object()])
def test_a_path_that_is_no_text_is_refused(path, reason):
    assert "is text, not a" in reason(path)


@pytest.mark.parametrize("path", [*REFUSED, "this:c", "antigravity:fly", "idlelib.run:main", "depot.reports:weekly"])
def test_a_refused_path_imports_nothing_but_task_modules(path):
    before = set(sys.modules)
    with pytest.raises(FunctionNotFound):
        registry.resolve(path)
    allowed = ("depot.tasks", "depot.jobs", "depot.module", "guild.shop.tasks")
    assert [name for name in set(sys.modules) - before if not name.startswith(allowed)] == []


def test_a_refusal_names_the_nearest_functions(reason):
    assert "Did you mean 'depot.tasks:restock'" in reason("depot.tasks:restok")
    assert "'depot.module.sync:sync_shelves'" in reason("depot.sync:sync_shelves")
    assert "'depot.jobs.daily:report'" in reason("depot.jobs:report")


@pytest.mark.parametrize("name", ["Clerk", "clerk", "short", "_secret", "length", "lines"])
def test_even_an_exact_path_in_allowed_funcs_opens_only_public_functions(settings, name, reason):
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": [f"depot.tasks:{name}", "depot.tasks:*"]}
    reason(f"depot.tasks:{name}")
