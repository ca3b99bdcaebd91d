"""The pages of the documentation, followed: files written as told, commands run as written, outputs compared."""

import pytest

from tests.support.pages import PAGES, ROOT, steps

pytestmark = pytest.mark.pages

TUTORIAL = ROOT / "docs" / "tutorial" / "first-task.md"  # it needs a browser: tests/browser/test_tutorial.py
README = ROOT / "README.md"
GUIDES = [
    page for page in PAGES if page not in (TUTORIAL, README) and any(step.is_done or step.marks for step in steps(page))
]


def installs(page):
    return any("pip install ./" in command.line for step in steps(page) for command in step.commands)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_says_works(page, make_reader):
    reader = make_reader(installs=installs(page))
    reader.follow(page)
    reader.stop()
    reader.run("python manage.py check --fail-level WARNING")


def test_what_the_readme_says_works(make_reader):
    reader = make_reader(site=False, installs=installs(README))
    reader.follow(README)
    reader.stop()
