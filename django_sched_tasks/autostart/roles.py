"""What a process may be to us."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.Enum):
    SERVER = "server"  # serves requests: may host
    PRELOADING = "preloading"  # loads the application for the children that it will fork: they may host
    GREEN = "green"  # serves on green threads, which the engine would block and be blocked by: stands by
    THREADLESS = "threadless"  # a server that was told to run no threads: stands by
    SUPERVISOR = "supervisor"  # only watches the process that serves: never, whatever the environment says
    OTHER = "other"  # a command, a test, a shell, a worker of something else: never by itself
    UNKNOWN = "unknown"  # the first request tells


@dataclass(frozen=True, slots=True)
class Surroundings:
    role: Role
    name: str
