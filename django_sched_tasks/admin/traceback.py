"""A traceback to read: the site's own frames stand out, those of libraries step back."""

from __future__ import annotations

import re
import sysconfig
from typing import Any

from django.utils.html import format_html

from django_sched_tasks.admin import show

_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line \d+')
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def folded(text: str) -> Any:
    """The text line by line as it is, the lines of each frame marked by whose code it is."""
    if not text:
        return show.NOTHING
    lines: list[Any] = []
    tone = "said"
    for line in show.printable(text).splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            tone = "library" if _is_of_a_library(frame["path"]) else "own"
        elif not line.startswith("    ") and line.strip():
            tone = "said"
        lines.append(format_html('<span class="sched-frame-{}">{}</span>\n', tone, line))
    return format_html('<pre class="sched-pre sched-traceback" tabindex="0">{}</pre>', show.joined(lines))


def _is_of_a_library(path: str) -> bool:
    return "site-packages" in path or "<frozen" in path or path.startswith(_LIBRARIES)
