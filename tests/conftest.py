"""What every test may ask for; a room's own fixtures stand beside its tests."""

import signal
from importlib.util import find_spec

import pytest
from django.db import connections
from django.utils import translation
from rest_framework.test import APIClient

# Without a browser there is nothing to open the pages in; the environment for them has it.
collect_ignore = [] if find_spec("playwright") else ["browser"]

# What a script starts in the background ignores Ctrl-C, and so do its children; but tests end theirs by Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """PostgreSQL drops no database that somebody is connected to.

    The first connection is closed as it goes; but a test may have left another in its place.
    """
    yield
    connections.close_all()


@pytest.fixture
def staff(django_user_model):
    """A superuser: staff, with every permission."""
    return django_user_model.objects.create_superuser(username="staff", password="staff")


@pytest.fixture
def visitor(django_user_model):
    """A user who may log in and do nothing else."""
    return django_user_model.objects.create_user(username="visitor", password="visitor")


@pytest.fixture
def api() -> APIClient:
    """An API client that nobody has logged in."""
    return APIClient()


@pytest.fixture
def staff_api(staff) -> APIClient:
    client = APIClient()
    client.force_authenticate(staff)
    return client


@pytest.fixture(autouse=True)
def speaks_english():
    """A request leaves its language active in the thread that served it, here the test's."""
    with translation.override("en"):
        yield
