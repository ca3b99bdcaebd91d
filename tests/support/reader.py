"""A reader who does what a page says, in a folder of their own, by a shell of their own.

Commands are run as they are written, but for the port: 8000 becomes a free one, and servers that would take it without
being told are told. So pages can be followed beside each other, and beside what the machine serves already. Redis is
the one that REDIS_URL names.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from tests.support import checkers
from tests.support.pages import Command, Step, steps
from tests.support.servers import free_port
from tests.support.site import Process
from tests.support.waiting import until

PATIENCE = 120  # seconds that a command may take; pip is the slowest
READY = 120  # seconds after which a server must answer; `make demo` installs it first
PORT = "8000"
BROKER = "redis://127.0.0.1:6379/0"

# How a server that takes port 8000 unless told otherwise is told.
TELL = {
    r"manage\.py runserver(?!.*\d:\d)": " 127.0.0.1:{port}",
    r"\bgunicorn\b(?!.*--bind)": " --bind 127.0.0.1:{port}",
    r"\b(uvicorn|daphne|granian)\b(?!.*--port)": " --port {port}",
    r"\bhypercorn\b(?!.*--bind)": " --bind 127.0.0.1:{port}",
}

# An answer of an error makes curl fail, and shows what it says.
CURLRC = "fail-with-body\nsilent\nshow-error\n"


class Reader:
    """Somebody with a shell in ``folder``.

    Args:
        programs: directories to look for programs in, before those of the system.
    """

    def __init__(self, folder: Path, *, programs: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self._own = folder.parent / f"{folder.name}-shell"
        self._own.mkdir()
        (self._own / ".curlrc").write_text(CURLRC)
        (self._own / "tmp").mkdir()
        self._staying: list[Process] = []
        self._server: Process | None = None
        self._started = 0
        self._reloads = 0
        self._state = self._own / "state"
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        path = [*map(str, programs), f"{sys.base_prefix}/bin", "/usr/local/bin", "/usr/bin", "/bin"]
        self.env = {
            **kept,
            "CURL_HOME": str(self._own),
            "HOME": str(self._own),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(path),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self._own / "tmp"),
            # What pip keeps and is told on this machine.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # A page

    def follow(self, page: Path, acts: Mapping[str, Callable[[], None]] | None = None) -> None:
        """Do all that a page says, from top to bottom."""
        for step in steps(page):
            try:
                self.do(step, acts or {})
            except AssertionError as error:
                raise AssertionError(f"{step}: {error}") from error

    def do(self, step: Step, acts: Mapping[str, Callable[[], None]]) -> None:
        marks = step.marks
        if "act" in marks:
            acts[marks["act"]]()
        elif step.checker:
            checkers.CHECKERS[step.checker](step.text)
        elif "file" in marks:
            self.write(marks["file"], step.text)
        elif "append" in marks:
            self.write(marks["append"], f"\n{step.text}", mode="a")
        elif marks.keys() & {"serves", "serves unscheduled"}:
            for command in step.commands:
                self._end(self._server)
                self.serve(command.line, *next((name, marks[name]) for name in marks if name.startswith("serves")))
        elif "stays" in marks:
            for command in step.commands:
                self.leave(command.line, marks["stays"])
        elif "not run" not in marks:
            self._run_all(step.commands, marks)

    def _run_all(self, commands: list[Command], marks: Mapping[str, str]) -> None:
        for number, command in enumerate(commands, start=1):
            is_last = number == len(commands)
            answers = marks.get("answers", "").split(", ") if is_last and "answers" in marks else None
            self.run(command, code=int(marks.get("exit", 0)) if is_last else 0, answers=answers)

    # One thing

    def write(self, path: str, text: str, mode: str = "w") -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open(mode, encoding="utf-8") as opened:
            opened.write(text.replace(PORT, str(self.port)).replace(BROKER, os.environ.get("REDIS_URL", BROKER)))

    def run(self, command: Command | str, *, code: int = 0, answers: list[str] | None = None) -> str:
        """Run it to its end, and compare what it prints with what the page says that it does."""
        if isinstance(command, str):
            command = Command(command)
        script = self._script(command.line)
        if answers is None:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
            output, ended = done.stdout.decode(errors="replace"), done.returncode
        else:
            output, ended = self._typing(script, answers)
        assert ended == code, f"$ {command.line}\nended with {ended}:\n{output}{self._logs()}"
        if command.output:
            assert _matches(command.output.replace(PORT, str(self.port)), output), (
                f"$ {command.line}\nprinted:\n{output}\nand not:\n{command.output}"
            )
        return output

    def _typing(self, script: str, answers: list[str]) -> tuple[str, int]:
        """The same at a terminal, where somebody types."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            output = ""
            for answer in [*answers, None]:
                while answer is None or not re.search(r"(: |\? |\] ?)$", output):
                    try:
                        read = os.read(ours, 4096).decode(errors="replace")
                    except OSError:  # the terminal is closed: the command has ended
                        break
                    output += read
                if answer is not None:
                    os.write(ours, f"{answer}\n".encode())
                    output += f"{answer}\n"
            os.close(ours)
            return output, process.wait(PATIENCE)

    def _script(self, line: str, *, stays: bool = False) -> str:
        """A shell's script for one line, in the directory and with the variables that the one before has left."""
        state = shlex.quote(str(self._state))
        begin = f"[ -e {state} ] && . {state}\n"
        line = self._with_port(line)
        if stays:
            return f"{begin}exec {line}"
        variables = "declare -p | grep --invert-match '^declare -[^ ]*r'"  # all, but for the shell's own constants
        return f'{begin}{line}\ncode=$?; {{ {variables}; echo cd "$(printf %q "$PWD")"; }} >{state}; exit $code'

    def _with_port(self, line: str) -> str:
        line = line.replace(PORT, str(self.port))
        for pattern, told in TELL.items():
            if re.search(pattern, line) and str(self.port) not in line and "pip install" not in line:
                line = re.sub(r"(\s*#.*)?$", told.format(port=self.port), line, count=1)
        return line

    # What stays

    def stay(self, line: str) -> Process:
        self._started += 1
        log = self._own / f"{self._started}.log"
        process = Process(["bash", "-c", self._script(line, stays=True)], cwd=self.folder, env=self.env, log=log)
        self._staying.append(process)
        return process

    def leave(self, line: str, sign: str) -> None:
        """Start it, and go on once it shows the sign: a match in its output, or a scheduler more."""
        before = len(self.alive())
        process = self.stay(line)
        if sign == "a scheduler":
            until(lambda: len(self.alive()) > before, within=READY, what=f"a scheduler by {line!r}:\n{process.log}")
        else:
            process.wait_for_log(sign, within=READY)

    def serve(self, line: str, how: str, address: str) -> None:
        """Start a server and wait until it answers; its scheduler lives, unless the page says that it has none."""
        self._server = process = self.stay(line)
        until(lambda: self._answers(process, address), within=READY, what=f"an answer of {line!r}:\n{process.log}")
        if how == "serves":
            until(self.alive, within=READY, what=f"a scheduler in {line!r}:\n{process.log}")

    def _answers(self, process: Process, address: str) -> bool:
        assert process.is_running, process.log
        try:
            urllib.request.urlopen(self.url + address, timeout=10).close()
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False
        return True

    def alive(self) -> list[tuple[str, int]]:
        """The schedulers of the site that live: what started them, and their pids."""
        path = self.folder / "db.sqlite3"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=20)) as connection:
            return connection.execute("SELECT started_by, pid FROM sys_scheduler_node WHERE state = 'alive'").fetchall()

    def await_reload(self) -> None:
        """Wait until a development server has noticed the latest change, and serves again."""
        process, seen = self._staying[-1], self._reloads
        self._reloads += 1
        until(lambda: process.log.count("reloading") > seen, within=READY, what=f"a reload:\n{process.log}")
        until(lambda: process.log.count("Quit the server") > seen + 1, within=READY, what=process.log)
        until(lambda: self._answers(process, "/"), within=READY, what=f"an answer:\n{process.log}")
        until(lambda: len(self.alive()) == 1, within=READY, what=f"one scheduler:\n{process.log}")

    def stop(self) -> None:
        """End what stays; all must end, and every scheduler as it should.

        After Ctrl-C a reloader of Django kills its child within a quarter of a second, drained or not.
        """
        has_reloader = any(re.search(r"manage\.py (?!.*--no-?reload)", one.command[-1]) for one in self._staying)
        for process in reversed(self._staying[:]):
            self._end(process)
        assert has_reloader or self.alive() == [], "a scheduler has not said that it stopped"

    def _end(self, process: Process | None) -> None:
        if process not in self._staying:
            return
        """By Ctrl-C what is started at a terminal, with its reloader; else as a service manager does it."""
        assert process.is_running, f"{process.command} has ended by itself:\n{process.log}"
        if re.search(r"manage\.py|exec make", process.command[-1]):
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.signal(signal.SIGTERM)
        process.wait()
        self._staying.remove(process)

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._staying:
            process.kill()

    def _logs(self) -> str:
        return "".join(f"\n--- {process.command[-1]}\n{process.log[-4000:]}" for process in self._staying)


def _matches(expected: str, output: str) -> bool:
    """Whether the lines come in the output, ``...`` standing for anything."""
    pattern = ".*?".join(re.escape(part) for part in re.split(r"\.\.\.", expected.strip()))
    return re.search(pattern, output.replace("\r\n", "\n"), re.DOTALL) is not None
