"""What happens in a contender's own processes: ``python -m benchmarks.stage CONTENDER VERB [JSON]``.

The environment names the database, the file of starts and the folder of counters; :mod:`benchmarks.trial` sets it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import databases, starts
from benchmarks.contenders import CONTENDERS, Contender, Order


def main(name: str, verb: str, text: str = "{}") -> None:
    contender = CONTENDERS[name]
    if contender.uses_django:
        import django

        django.setup()
    VERBS[verb](contender, **json.loads(text))


def prepare(contender: Contender) -> None:
    contender.prepare()


def store(contender: Contender, **order: Any) -> None:
    contender.store(Order(**order))
    databases.analyze()


def serve(contender: Contender) -> None:
    starts.write(starts.LOADED)
    contender.serve()


def edit(contender: Contender) -> None:
    """For each number on stdin, edit that task; answers from when on it could have run."""
    contender.open_editor()
    _answer("ready")
    for line in sys.stdin:
        due = contender.edit(int(line))
        _answer(max(due, time.time()))


def accounted(contender: Contender) -> None:
    _answer(contender.accounted())


def api(contender: Contender, requests: int) -> None:
    from benchmarks.site.requests import measure

    _answer(measure(requests))


def history(contender: Contender, executions: int, rounds: int) -> None:
    from benchmarks.site.history import measure

    _answer(measure(executions, rounds))


VERBS: dict[str, Callable[..., None]] = {
    function.__name__: function for function in (prepare, store, serve, edit, accounted, api, history)
}


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
