"""Readers of the pages: fresh folders, the package installed from a wheel of this tree, and the tutorial's site."""

from tests.support.readers import (  # noqa: F401 - fixtures, offered to the tests beside this file
    checkout,
    make_reader,
    shelf,
    tutorial_site,
)
