"""Pages of docs/explanation that commands write: a head, and a table whose rows replace earlier ones of their key."""

from tests.support.site import REPOSITORY

PAGES = REPOSITORY / "docs" / "explanation"


def put(page, head, cells, *, keys=2):
    """Put a row into the page's table, in place of the one that begins with the same ``keys`` cells."""
    lines = page.read_text().splitlines() if page.exists() else []
    rows = [line for line in lines if line.startswith("| ")][2:]  # below the heading and its rule
    kept = {_key(row, keys): row for row in rows}
    row = f"| {' | '.join(str(cell).strip() for cell in cells)} |"
    kept[_key(row, keys)] = row
    page.write_text(head + "\n".join(kept[key] for key in sorted(kept)) + "\n")
    return row


def _key(row, keys):
    return tuple(cell.strip() for cell in row.split("|")[1 : keys + 1])
