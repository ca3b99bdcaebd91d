"""Telling one process from another on this machine, and whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def host() -> str:
    return socket.gethostname()


@cache
def machine() -> str:
    """Names the kernel and the pid namespace that our pids belong to; "" where that cannot be told.

    Containers share host names and pids: only within the same boot and namespace does a pid mean the same process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot}/{namespace}"


def started(pid: int) -> str:
    """When a process of this machine started, in the kernel's ticks; "" when it does not live."""
    try:
        # The command's name, in parentheses, may contain anything, so count the fields behind it.
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else rest[18]


def is_gone(its_machine: str, pid: int, pid_started: str) -> bool:
    """Whether a process has certainly ended: one of this machine whose pid is free or has been given to another."""
    if not its_machine or its_machine != machine() or not pid_started:
        return False
    return pid != os.getpid() and started(pid) != pid_started
