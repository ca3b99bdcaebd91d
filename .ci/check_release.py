"""Whether a tag may be released: it names the version of the code, and the changelog has a dated entry for it."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version() -> str:
    """The one place where it stands, read without importing what is not installed here."""
    tree = ast.parse((ROOT / "django_sched_tasks" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__version__"]:
            return str(ast.literal_eval(node.value))
    raise SystemExit("django_sched_tasks/__init__.py has no __version__.")


def problems(tag: str, changelog: str) -> list[str]:
    """What stands against a release of this tag."""
    found = []
    if tag != f"v{version()}":
        found.append(f"The tag is {tag}, the version of the code {version()}; the tag must be v{version()}.")
    if not re.search(rf"^## \[?{re.escape(version())}\]?.*\d{{4}}-\d\d-\d\d", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading '## {version()} - YYYY-MM-DD'.")
    return found


if __name__ == "__main__":
    told = problems(sys.argv[1], (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    print("\n".join(told) or f"{sys.argv[1]} may be released.")
    sys.exit(bool(told))
