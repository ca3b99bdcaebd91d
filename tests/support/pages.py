"""What a page of the documentation asks its reader to do: its fenced blocks, and the marks above them.

A mark is an HTML comment on the line above a fence, so that no reader sees it:

``file: chores/tasks.py``, ``append: mysite/settings.py``
    The block is written to that file of the reader's folder, or appended to it.
``serves: /admin/``, ``serves unscheduled: /``
    The block's commands stay: servers, each ready once that address answers and a scheduler is alive (or none is).
``stays: worker .* ready``, ``stays: a scheduler``
    The block's commands stay, each ready once its output matches, or once there is a scheduler more.
``exit: 3``
    How the block's last command ends, where that is not 0.
``answers: secret, secret``
    What the reader types when the block's last command asks.
``checked: systemd``
    The block is looked at by that checker, and not run.
``not run: it needs a cluster``
    Why nothing is done with it.

A block of the language ``console`` needs none: its lines after ``$`` are run one by one, each must succeed, and what
stands below one is what it prints, ``...`` standing for anything. One of ``json`` is checked unless something else is
said. Some comments stand by themselves: ``given``, with lines after ``$``, has what a reader has done before, ``given
serves: /admin/`` what a reader has started; ``act: name`` is what a reader does by hand, for a test to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)])

MARKS = {"file", "append", "serves", "serves unscheduled", "stays", "exit", "answers", "checked", "not run"}
DONE_BY = {"file", "append", "serves", "serves unscheduled", "stays"}
NO_MARKS = {"figures", "end of figures"}  # between them a program writes what it has measured
ALONE = {"given", "given serves", "act"}
COMMENT = re.compile(r"<!--\s*(?P<name>[\w ]+?)(?::[ ]*|\n|\s*(?=-->))(?P<value>.*?)\s*-->", re.DOTALL)
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^`]*)$")


@dataclass(frozen=True)
class Command:
    """A line for a shell, and what it should print."""

    line: str
    output: str = ""


@dataclass(frozen=True)
class Step:
    """One thing on a page: a block with its marks, or (without language) a comment that stands by itself."""

    page: Path
    number: int
    text: str
    language: str = ""
    marks: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.number}"

    @property
    def commands(self) -> list[Command]:
        found: list[Command] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            elif found and found[-1].line.endswith("\\"):
                found[-1] = Command(f"{found[-1].line}\n{line}")
            elif found:
                found[-1] = Command(found[-1].line, f"{found[-1].output}{line}\n")
        return found

    @property
    def checker(self) -> str:
        """The name of what only looks at it, if nothing else is done with it."""
        return self.marks.get("checked", "json" if self.language == "json" and not self.marks else "")

    @property
    def is_told(self) -> bool:
        """Whether somebody has said what becomes of this block."""
        if self.marks.keys() - MARKS:
            return False
        return self.is_done or bool(self.checker) or "not run" in self.marks

    @property
    def is_done(self) -> bool:
        """Whether following the page does something with it."""
        if "not run" in self.marks or self.checker:
            return False
        return self.language == "console" or bool(self.marks.keys() & DONE_BY)


def steps(page: Path) -> list[Step]:
    """The blocks and the comments that stand by themselves, from top to bottom; directives of Sphinx are none."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found: list[Step] = []
    marks: dict[str, str] = {}
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        last = number
        if fence:
            last = _end(lines, number, fence["ticks"])
            language = fence["language"].strip()
            if not language.startswith("{"):
                text = _dedented(lines[number + 1 : last], fence["indent"])
                found.append(Step(page, number + 1, text, language or "text", marks))
            marks = {}
        elif lines[number].lstrip().startswith("<!--"):
            last = next(index for index in range(number, len(lines)) if "-->" in lines[index])
            match = COMMENT.search("\n".join(line.strip() for line in lines[number : last + 1]))
            assert match, f"{page}:{number + 1}: this comment is no mark"
            if match["name"] in NO_MARKS:
                pass
            elif match["name"] in ALONE:
                found.append(_alone(page, number + 1, match["name"], match["value"]))
            else:
                marks = {**marks, match["name"]: match["value"]}
        else:
            assert not marks, f"{page}:{number + 1}: a mark stands on the line above a fence"
        number = last + 1
    return found


def _alone(page: Path, number: int, name: str, value: str) -> Step:
    if name == "given serves":
        address, _, value = value.partition("\n")
        return Step(page, number, value, marks={"serves": address})
    return Step(page, number, value, marks={name: value})


def _end(lines: list[str], start: int, ticks: str) -> int:
    return next(index for index in range(start + 1, len(lines)) if lines[index].strip() == ticks)


def _dedented(lines: list[str], indent: str) -> str:
    return "".join(f"{line.removeprefix(indent)}\n" for line in lines)
