"""One contender on a database of its own: its processes, and what they write."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Any

import tests.settings  # noqa: F401 - puts the example project on the path, which the databases need
from benchmarks import counting, databases, machine, starts
from benchmarks.contenders import Contender, Order
from tests.support.databases import KINDS

ROOT = Path(__file__).resolve().parent.parent
SQLITE = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}
PATIENCE = 180.0  # seconds that a contender gets to be ready


class Broken(Exception):
    """A trial that came to nothing, and why."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, statements and passed seconds."""

    cpu: float
    server_cpu: float
    statements: int
    seconds: float

    def __sub__(self, before: Cost) -> Cost:
        pairs = zip(astuple(self), astuple(before), strict=True)
        return Cost(*(now - then for now, then in pairs))


class Node:
    """The processes that make up one node of a contender, each in a group of its own."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path], started: float) -> None:
        self.processes = processes
        self.logs = logs
        self.started = started

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def check(self) -> None:
        for process, log in zip(self.processes, self.logs, strict=True):
            if process.poll() is not None:
                raise Broken(f"A process ended with {process.returncode}:\n{_tail(log)}")

    def kill(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()


class Editor:
    """A further process, from which tasks are edited."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._pipes: tuple[IO[str], IO[str]] = (process.stdin, process.stdout)  # type: ignore[assignment]
        self._read()

    def edit(self, number: int) -> float:
        """Have that task run now; answers from when on it could have, in seconds since the epoch."""
        print(number, file=self._pipes[0], flush=True)
        return float(self._read())

    def _read(self) -> Any:
        line = self._pipes[1].readline()
        if not line:
            raise Broken("The process that edits has ended.")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Trial:
    """From an empty database to the last process killed.

    Args:
        contender: who is measured.
        vendor: on which database.
        folder: an empty one.
        checkout: where django_sched_tasks is imported from; None for the one beside this package.
    """

    def __init__(self, contender: Contender, vendor: str, folder: Path, checkout: Path | None = None) -> None:
        self.contender = contender
        self.vendor = vendor
        self.database = KINDS[vendor](folder)
        self.nodes: list[Node] = []
        self.starts = starts.Starts(folder / "starts")
        self._folder = folder
        self._editors: list[Editor] = []
        self._statements = folder / "statements"
        self._statements.mkdir()
        self._packages = folder / "packages"
        self._packages.mkdir()
        source = (checkout or ROOT) / "django_sched_tasks"
        (self._packages / source.name).symlink_to(source.resolve())

    def __enter__(self) -> Trial:
        self.database.create()
        try:
            self._prepare()
        except BaseException:
            self.database.drop()
            raise
        return self

    def _prepare(self) -> None:
        if self.vendor == "sqlite":
            with contextlib.closing(sqlite3.connect(self._settings["NAME"])) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # for those who set nothing: it is kept in the file
        self.call("prepare")

    def __exit__(self, *error: object) -> None:
        for editor in self._editors:
            editor.close()
        for node in self.nodes:
            node.kill()
        self.database.drop()

    @property
    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = dict(self.database.settings)
        return {**settings, "OPTIONS": SQLITE} if self.vendor == "sqlite" else settings

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self._packages), str(ROOT)]),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "benchmarks.site.settings",
            "BENCHMARK_CONTENDER": self.contender.name,
            "BENCHMARK_TRIAL": self.database.name,
            databases.VARIABLE: json.dumps(self._settings),
            starts.VARIABLE: str(self.starts.path),
            counting.VARIABLE: str(self._statements),
        }

    def _stage(self, verb: str, arguments: dict[str, Any]) -> list[str]:
        return [sys.executable, "-m", "benchmarks.stage", self.contender.name, verb, json.dumps(arguments)]

    def call(self, verb: str, **arguments: Any) -> Any:
        """Do this in a process of the contender's; answers what it says last."""
        done = subprocess.run(
            self._stage(verb, arguments),
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Broken(f"{self.contender.name} could not {verb}:\n{done.stderr[-2000:]}")
        lines = done.stdout.splitlines()
        return json.loads(lines[-1]) if lines else None

    def store(self, order: Order) -> None:
        self.call("store", **order.as_dict())

    def start(self, nodes: int = 1) -> list[Node]:
        """Start that many nodes, and wait until all are there and one has run the canary."""
        started = [self._start_node() for _ in range(nodes)]
        expected = len(self.starts.loaded) + sum(len(node.processes) for node in started)
        for _ in self.wait(PATIENCE):
            self.check()
            if len(self.starts.loaded) >= expected and self.starts.canary:
                return started
        raise Broken(f"{self.contender.name} was not ready within {PATIENCE:g} s:\n{self._all_logs()}")

    def _start_node(self) -> Node:
        processes, logs = [], []
        began = time.time()
        for command in self.contender.commands():
            logs.append(self._folder / f"{uuid.uuid4().hex[:8]}.log")
            with logs[-1].open("wb") as log:
                process = subprocess.Popen(
                    command,
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            processes.append(process)
        node = Node(processes, logs, began)
        self.nodes.append(node)
        return node

    def open_editor(self) -> Editor:
        process = subprocess.Popen(
            self._stage("edit", {}),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        editor = Editor(process)
        self._editors.append(editor)
        return editor

    def wait(self, seconds: float, pause: float = 0.02) -> Iterator[None]:
        """Look at the starts again and again for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.starts.refresh()
            yield
            time.sleep(pause)
        self.starts.refresh()

    def wait_until(self, moment: float) -> None:
        """Sleep until then, in seconds since the epoch."""
        if (left := moment - time.time()) > 0:
            time.sleep(left)

    def cost(self) -> Cost:
        """Of its nodes, the server and the broker, since they began: take it twice."""
        pids = [pid for node in self.nodes for pid in node.pids]
        server = machine.cpu_of_servers(self.vendor)
        return Cost(machine.cpu_of(pids), server, counting.read(self._statements), time.monotonic())

    def memory(self) -> float:
        return machine.memory_of(pid for node in self.nodes for pid in node.pids)

    def check(self) -> None:
        """Raise if a process has ended that nobody killed."""
        for node in self.nodes:
            node.check()

    def _all_logs(self) -> str:
        return "\n".join(_tail(log) for node in self.nodes for log in node.logs)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
