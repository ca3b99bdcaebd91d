"""The burst as a picture: bars of runs per second, by database."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.report import DATABASES

WIDTH, LABELS, NUMBERS = 760, 290, 70
BAR, GAP, HEAD, MARGIN = 18, 6, 30, 14
GREY, BLUE, TEXT = "#9ca3af", "#2563eb", "#6b7280"  # readable on light and on dark pages


def draw(rows: Sequence[dict[str, Any]], size: int) -> str:
    """An SVG of the bursts of this size."""
    measured = [row for row in rows if (row["scenario"], row["size"]) == ("burst", size) and row.get("figures")]
    longest = max((row["figures"]["rate"] or 0 for row in measured), default=0) or 1
    parts: list[str] = []
    y = MARGIN
    for vendor, title in DATABASES.items():
        own = sorted(
            (row for row in measured if row["database"] == vendor), key=lambda row: -(row["figures"]["rate"] or 0)
        )
        if not own:
            continue
        parts.append(_text(0, y + 15, title, weight="bold"))
        y += HEAD
        for row in own:
            parts += _bar(y, row, (WIDTH - LABELS - NUMBERS) / longest)
            y += BAR + GAP
        y += MARGIN
    title = f"Runs per second of {size:,} tasks that are due at once"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img"'
            f' font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            *parts,
            "</svg>\n",
        ]
    )


def _bar(y: int, row: dict[str, Any], scale: float) -> list[str]:
    rate = row["figures"]["rate"] or 0
    color = BLUE if row["contender"] == OURS else GREY
    length = max(1.0, rate * scale)
    return [
        _text(LABELS - 10, y + 13, CONTENDERS[row["contender"]].title, anchor="end"),
        f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{color}"/>',
        _text(LABELS + length + 6, y + 13, f"{rate:,.0f}"),
    ]


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{TEXT}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )
