"""What processes cost, and on what all of it ran."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import tests.settings  # noqa: F401 - puts the example project on the path
from tests.support.databases import KINDS

SERVERS = {"postgresql": ("postgres",), "mariadb": ("mariadbd", "mysqld"), "sqlite": ()}
BROKERS = ("redis-server",)


def cpu_of(pids: Iterable[int]) -> float:
    """The CPU seconds of these processes and all their children, those that have ended among them."""
    return sum(_spent(process) for pid in pids for process in _family(pid))


def cpu_of_servers(vendor: str) -> float:
    """The CPU seconds of the database server and the broker, as far as they run on this machine."""
    names = {*SERVERS[vendor], *BROKERS}
    processes = list(psutil.process_iter(["name"]))
    return sum(_spent(process) for process in processes if process.info["name"] in names)


def memory_of(pids: Iterable[int]) -> float:
    """Megabytes; what processes share is counted once where the system tells."""
    return sum(_held(process) for pid in pids for process in _family(pid)) / 1e6


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _held(process: psutil.Process) -> float:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0.0
    return float(getattr(memory, "pss", memory.rss))


def describe() -> dict[str, Any]:
    """The machine and Python."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def describe_server(vendor: str) -> str:
    """The name and the version of a database."""
    if vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    words = str(KINDS[vendor](Path()).execute("SELECT version()")[0][0]).split()
    return " ".join(words[:2]) if vendor == "postgresql" else f"MariaDB {words[0].partition('-')[0]}"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
