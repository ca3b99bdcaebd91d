"""A site of its own in a temporary directory, with real processes around it."""

import contextlib
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.waiting import until

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PATIENCE = 30  # seconds that a process of Python gets to be there, on a busy machine


class Process:
    """A process in a group of its own, with its output in a file."""

    def __init__(self, command, *, cwd, env, log):
        self.command = [str(part) for part in command]
        self.log_path = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                self.command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self):
        return self._popen.poll() is None

    def wait_for_log(self, pattern, within=PATIENCE):
        """The first match of a regular expression in the output."""

        def found():
            match = re.search(pattern, self.log)
            assert match or self.is_running, f"{self.command} has ended:\n{self.log}"
            return match

        return until(found, within=within, what=f"{pattern!r} in the output of {self.command}:\n{self.log}")

    def signal(self, number):
        self._popen.send_signal(number)

    def wait(self, within=PATIENCE):
        """The exit code."""
        try:
            return self._popen.wait(within)
        except subprocess.TimeoutExpired:
            stacks = self._stacks()
            raise AssertionError(f"{self.command} has not ended within {within} s:\n{stacks}") from None

    def _stacks(self):
        """The output, to which each thread of a process that hangs has added where it is, and who locks what file."""
        locks = Path("/proc/locks")
        held = locks.read_text() if locks.exists() else ""
        self.signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(5)
        return f"{self.log}\nProcess {self.pid}; locks of files:\n{held}"

    def terminate(self, within=PATIENCE):
        """SIGTERM; answers the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self):
        """SIGKILL for it and for all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


class Site:
    """A copy of company_site.

    Args:
        directory: an empty directory.
        database: a tests.support.databases.Database.
        settings: lines of Python to append to the settings; a site that needs none has installed the app and no more.
        apps: further INSTALLED_APPS.
    """

    def __init__(self, directory, database, *, settings="", apps=()):
        self.path = directory
        self.database = database
        shutil.copytree(HERE / "company_site", directory, dirs_exist_ok=True)
        self.temp = directory / "tmp"
        self.logs = directory / "logs"
        self.temp.mkdir()
        self.logs.mkdir()
        lines = [f"DATABASES = {{'default': {database.settings!r}}}", f"INSTALLED_APPS += {list(apps)!r}", settings]
        with (directory / "company" / "settings.py").open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")
        self.processes = []
        self._console = None

    def write(self, path, text):
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def env(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "SCHED_TASKS"))}
        paths = [str(self.path), str(REPOSITORY)]
        own = {
            "TMPDIR": str(self.temp),
            "HOME": str(self.temp),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
        }
        return kept | own | {"DJANGO_SETTINGS_MODULE": "company.settings"} | more

    # Processes that end by themselves.

    def python(self, *arguments, within=60, check=True, **env):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.path,
            env=self.env(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def manage(self, *arguments, **options):
        return self.python("manage.py", *arguments, **options)

    def migrate(self):
        self.manage("migrate", "--verbosity", "0")

    # Processes that stay.

    def start(self, *command, **env):
        log = self.logs / f"{len(self.processes)}-{Path(str(command[0])).name}.log"
        process = Process(command, cwd=self.path, env=self.env(**env), log=log)
        self.processes.append(process)
        return process

    def start_python(self, *arguments, **env):
        return self.start(sys.executable, *arguments, **env)

    def runscheduler(self, *arguments, wait=True):
        process = self.start_python("manage.py", "runscheduler", *arguments)
        if wait:
            self.wait_for_node(process.pid)
        return process

    def gunicorn(self, *arguments, workers=4, **env):
        program = Path(sys.executable).with_name("gunicorn")
        process = self.start(program, "--workers", workers, "--bind", "127.0.0.1:0", *arguments, "company.wsgi", **env)
        process.port = int(process.wait_for_log(r"Listening at: http://127\.0\.0\.1:(\d+)")[1])
        return process

    def runserver(self, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = self.start_python("manage.py", "runserver", *arguments, f"127.0.0.1:{port}")
        process.port = port
        return process

    def get(self, server, path="/"):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as response:
            return response.status, response.read().decode()

    def change_code(self, process):
        """Change a module, again if need be, until the reloader of a process (with DEBUG) has noticed."""

        def noticed():
            if "changed, reloading" in process.log:
                return True
            with (self.path / "warehouse" / "tasks.py").open("a") as file:
                file.write("\n# Changed.\n")
            return False

        until(noticed, within=PATIENCE, pause=1.5, what=f"a reload of {process.command}")

    def close(self):
        """Kill what still runs."""
        for process in self.processes:
            process.kill()
        if self._console is not None:
            self._console.kill()
            self._console.wait()
            self._console.stdin.close()
            self._console.stdout.close()

    # What is in the site.

    def __getattr__(self, name):
        """A function of the site's console.py, called in a process of the site."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._ask(name, args, kwargs)

    def _ask(self, *question):
        if self._console is None:
            with (self.logs / "console.log").open("wb") as errors:
                self._console = subprocess.Popen(
                    [sys.executable, "console.py"],
                    cwd=self.path,
                    env=self.env(SCHED_TASKS_AUTO_START="0"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                )
        try:
            pickle.dump(question, self._console.stdin)
            self._console.stdin.flush()
            succeeded, answer = pickle.load(self._console.stdout)
        except (EOFError, BrokenPipeError):
            raise AssertionError((self.logs / "console.log").read_text()) from None
        assert succeeded, answer
        return answer

    def live_nodes(self):
        return self.nodes(state__in=["alive", "stopping"])

    def wait_for_node(self, pid=None, within=PATIENCE):
        """The row of a live node: that of a process, or the only one."""

        def found():
            nodes = [node for node in self.live_nodes() if pid in (None, node["pid"])]
            return nodes[0] if nodes else None

        return until(found, within=within, what=f"a node of {pid or 'any process'}")

    def wait_for_effects(self, count, within, **filters):
        until(lambda: self.effect_count(**filters) >= count, within=within, what=f"{count} effects of {filters}")

    def wait_for_execution(self, within, **filters):
        return until(lambda: self.executions(**filters), within=within, what=f"an execution with {filters}")[0]

    def logs_tail(self, size=4000):
        for path in sorted(self.logs.iterdir()):
            yield path.name, path.read_text(errors="replace")[-size:]

    def locks(self):
        return list(self.temp.glob("*.lock"))


def pass_time(seconds):
    """Let other processes work for a while: for what has no earlier end than its time."""
    time.sleep(seconds)
