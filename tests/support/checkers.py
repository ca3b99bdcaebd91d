"""What can be said of a page's block without running it: files for machines that a test has not got.

No container engine and no cluster is asked. What is checked is that the files are well formed, use the names of their
format, and agree with themselves.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SERVICE = {
    "After",
    "Description",
    "Environment",
    "EnvironmentFile",
    "ExecReload",
    "ExecStart",
    "Group",
    "KillMode",
    "KillSignal",
    "Restart",
    "RestartSec",
    "RuntimeDirectory",
    "StateDirectory",
    "TimeoutStopSec",
    "Type",
    "User",
    "WantedBy",
    "Wants",
    "WorkingDirectory",
}
INSTRUCTIONS = {"FROM", "RUN", "CMD", "COPY", "ENV", "ARG", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "STOPSIGNAL"}
COMPOSE_SERVICE = {
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "init",
    "ports",
    "restart",
    "stop_grace_period",
    "volumes",
}
WORKLOADS = {"Deployment": "apps/v1", "Job": "batch/v1", "Service": "v1", "Secret": "v1", "ConfigMap": "v1"}
CONTAINER = {
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "startupProbe",
}


def python(text: str) -> None:
    ast.parse(text)


def as_json(text: str) -> None:
    json.loads(text)


def ini(text: str) -> configparser.ConfigParser:
    """Sections of keys and values; a key may come again, as in units of systemd."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read_string(text)
    return parser


def systemd(text: str) -> None:
    """A service: by systemd itself where it is installed, with programs and users that this machine has."""
    parser = ini(text)
    assert {"Unit", "Service", "Install"} <= set(parser.sections())
    unknown = {key for section in parser.sections() for key in parser[section]} - SERVICE
    assert not unknown, f"unknown names {sorted(unknown)}"
    if shutil.which("systemd-analyze"):
        here = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/sh", text, flags=re.MULTILINE)
        here = re.sub(r"^(User|Group)=.*", r"\1=root", here, flags=re.MULTILINE)
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder) / "checked.service"
            unit.write_text(here)
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
            )
            told = [line for line in done.stderr.splitlines() if "checked.service" in line]
            assert not told, "\n".join(told)


def dockerfile(text: str) -> None:
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    words = [line.split(maxsplit=1) for line in lines]
    unknown = {name for name, _ in words} - INSTRUCTIONS
    assert not unknown, f"unknown instructions {sorted(unknown)}"
    assert words[0][0] == "FROM"
    for name, rest in words:
        if name in ("CMD", "ENTRYPOINT"):
            # Only in this form signals reach the program itself, and not a shell that drops them.
            assert all(isinstance(part, str) for part in json.loads(rest))


def _documents(text: str) -> list[Any]:
    import yaml

    return list(yaml.safe_load_all(text))


def compose(text: str) -> None:
    (document,) = _documents(text)
    assert set(document) <= {"services", "volumes"}
    services = document["services"]
    for name, service in services.items():
        unknown = set(service) - COMPOSE_SERVICE
        assert not unknown, f"{name} has unknown names {sorted(unknown)}"
        assert service.keys() & {"image", "build"}, f"{name} has neither image nor build"
        assert set(service.get("depends_on", ())) <= set(services), f"{name} depends on what is not there"
        mounted = {str(volume).partition(":")[0] for volume in service.get("volumes", ())}
        assert mounted <= set(document.get("volumes") or ()), f"{name} mounts a volume that is not declared"


def kubernetes(text: str) -> None:
    for document in _documents(text):
        kind = document["kind"]
        assert document["apiVersion"] == WORKLOADS[kind], f"{kind} is of {WORKLOADS[kind]}"
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", document["metadata"]["name"])
        template = document["spec"].get("template")
        if kind == "Deployment":
            chosen = document["spec"]["selector"]["matchLabels"]
            assert chosen.items() <= template["metadata"]["labels"].items(), "the selector misses its own pods"
        if template:
            for container in template["spec"]["containers"]:
                _check_container(container)


def _check_container(container: dict[str, Any]) -> None:
    unknown = set(container) - CONTAINER
    assert not unknown, f"unknown names {sorted(unknown)}"
    ports = {port.get("name", port["containerPort"]) for port in container.get("ports", ())}
    for probe in _probes(container):
        assert len(probe.keys() & {"httpGet", "exec", "tcpSocket"}) == 1
        if "httpGet" in probe:
            assert probe["httpGet"]["port"] in ports, "a probe asks at a port that the container does not name"


def _probes(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            yield container[name]


def yaml(text: str) -> None:
    assert all(_documents(text))


CHECKERS: dict[str, Callable[[str], Any]] = {
    "compose": compose,
    "dockerfile": dockerfile,
    "ini": ini,
    "json": as_json,
    "kubernetes": kubernetes,
    "python": python,
    "systemd": systemd,
    "yaml": yaml,
}
