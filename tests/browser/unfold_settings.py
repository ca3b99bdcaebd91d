"""The tests' site with django-unfold in place of the admin's own looks."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as OURS

DEBUG = True
INSTALLED_APPS = ["unfold", *OURS]
