"""What every test may ask for; a room's own fixtures stand beside its tests."""

import signal
import threading
from importlib.util import find_spec

import pytest
from django.utils import translation
from rest_framework.test import APIClient

# Without a browser there is nothing to open the pages in; the environment for them has it.
collect_ignore = [] if find_spec("playwright") else ["browser"]

# What a script starts in the background ignores Ctrl-C, and so do its children; but tests end theirs by Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """Before the test databases go, the thread that watched the last run closes its connection to them."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("sched-tasks-monitor"):
            thread.join(5)


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
