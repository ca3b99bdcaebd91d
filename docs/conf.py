"""The documentation's settings: Markdown, read by MyST. tests/unit/test_docs.py compares its lists with the code."""

from django_sched_tasks import __version__

project = "django-sched-tasks"
author = "django-sched-tasks contributors"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
