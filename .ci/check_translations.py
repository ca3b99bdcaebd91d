"""Compile every catalogue below the given folder and compare it with the compiled one that is shipped beside it."""

import gettext
import subprocess
import sys
import tempfile
from pathlib import Path


def messages(compiled: Path) -> dict[object, str]:
    with compiled.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key != ""}


def complaint(source: Path) -> str | None:
    """What is wrong with this catalogue, or None."""
    shipped = source.with_suffix(".mo")
    if not shipped.exists():
        return f"{shipped} is missing: run django-admin compilemessages."
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.mo"
        if subprocess.run(["msgfmt", "--check", "--output-file", fresh, source], check=False).returncode:
            return f"{source} does not compile."
        if messages(fresh) != messages(shipped):
            return f"{shipped} is older than its source: run django-admin compilemessages."
    return None


if __name__ == "__main__":
    sources = sorted(Path(sys.argv[1]).rglob("*.po"))
    complaints = [text for text in map(complaint, sources) if text]
    print(f"{len(sources)} catalogues, {len(complaints)} complaints")
    sys.exit("\n".join(complaints) or None)
