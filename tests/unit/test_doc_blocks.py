"""Each fenced block of the documentation is run by a test, or says why not."""

import pytest

from tests.support.checkers import CHECKERS
from tests.support.pages import PAGES, ROOT, steps

PAGE = """\
# A page

<!-- given
$ touch a
-->

1. First:

   <!-- exit: 3 -->
   ```console
   $ ls \\
       a
   a
   $ false  # and why
   ```

```{toctree}
other
```

<!-- not run: no cluster -->
```yaml
b
```
"""
BLOCKS = [step for page in PAGES for step in steps(page) if step.language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_is_run_or_says_why_not(page):
    unknown = [str(step) for step in steps(page) if step.language and not step.is_told]

    assert unknown == [], "tests/support/pages.py says which marks there are"


@pytest.mark.parametrize("step", [step for step in BLOCKS if step.checker], ids=str)
def test_what_is_only_checked_is_well_formed(step):
    CHECKERS[step.checker](step.text)


def test_a_block_is_found_with_its_marks_its_commands_and_their_output(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)

    before, console, other = steps(page)
    assert before.marks == {"given": "$ touch a"}
    assert [(command.line, command.output) for command in console.commands] == [
        ("ls \\\n    a", "a\n"),
        ("false  # and why", ""),
    ]
    assert (console.marks, console.is_done) == ({"exit": "3"}, True)
    assert (other.text, other.is_told, other.is_done) == ("b\n", True, False)


def test_a_block_without_a_mark_is_not_told(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```\n$ ls\n```\n\n<!-- runs: ls -->\n```console\n$ ls\n```\n")

    assert [step.is_told for step in steps(page)] == [False, False]
