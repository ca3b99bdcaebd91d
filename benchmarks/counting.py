"""How many statements a process has sent, for another process to read: a number in a file of its own."""

from __future__ import annotations

import itertools
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "BENCHMARK_STATEMENTS"
NUMBER = struct.Struct("Q")


class Counter:
    """Counts in memory that is a file, which costs less than a microsecond."""

    def __init__(self) -> None:
        path = Path(os.environ[VARIABLE]) / str(os.getpid())
        path.write_bytes(NUMBER.pack(0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), NUMBER.size)
        self._numbers = itertools.count(1)

    def add(self, statements: int = 1) -> None:
        for _ in range(statements):
            NUMBER.pack_into(self._memory, 0, next(self._numbers))


_counter: Counter | None = None


def _forget() -> None:
    global _counter
    _counter = None


os.register_at_fork(after_in_child=_forget)


def add(statements: int = 1) -> None:
    global _counter
    if _counter is None:
        _counter = Counter()
    _counter.add(statements)


def read(folder: Path) -> int:
    """What all processes of a trial have sent so far."""
    return sum(NUMBER.unpack(path.read_bytes())[0] for path in folder.iterdir())


def count_django() -> None:
    """Count what goes through Django's connections; of ``executemany``, each row."""
    from django.db.backends.signals import connection_created

    def wrap(execute: Callable[..., Any], sql: str, params: Sequence[Any], many: bool, context: Any) -> Any:
        add(len(params) if many else 1)
        return execute(sql, params, many, context)

    def on_connection(connection: Any, **kwargs: Any) -> None:
        if wrap not in connection.execute_wrappers:  # which outlive the connection
            connection.execute_wrappers.append(wrap)

    connection_created.connect(on_connection, weak=False, dispatch_uid=VARIABLE)


def count_sqlalchemy(engine: Any) -> None:
    """Count what goes through an engine of SQLAlchemy."""
    from sqlalchemy import event

    def on_cursor(*arguments: Any) -> None:
        _connection, _cursor, _statement, parameters, _context, many = arguments
        add(len(parameters) if many else 1)

    event.listen(engine, "before_cursor_execute", on_cursor)
