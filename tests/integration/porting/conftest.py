"""The tables of the real packages, made by their own migrations in the test database."""

import json
import os
from importlib.util import find_spec

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

PACKAGES = ("django_celery_beat", "django_apscheduler")


def require(package):
    """Skip where the package is not installed; never in the environment that is there for these tests."""
    if find_spec(package) is None:
        assert not os.environ.get("REQUIRE_PORTING"), f"{package} is not installed, and REQUIRE_PORTING is set"
        pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module")
def installed(django_db_setup, django_db_blocker):
    """Both packages in INSTALLED_APPS, their tables made; taken away in the end."""
    for package in PACKAGES:
        require(package)
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *PACKAGES]):
        with django_db_blocker.unblock():
            for package in PACKAGES:
                call_command("migrate", package, verbosity=0)
        yield
        with django_db_blocker.unblock():
            _take_away()


def _take_away():
    """Their migrations cannot be taken back."""
    with connection.schema_editor() as editor:
        for package in PACKAGES:
            for model in reversed(list(apps.get_app_config(package).get_models())):
                editor.delete_model(model)
    MigrationRecorder(connection).migration_qs.filter(app__in=PACKAGES).delete()
    apps.get_model("contenttypes", "ContentType").objects.filter(app_label__in=PACKAGES).delete()


@pytest.fixture
def port(db, installed, capsys):
    """Run ``schedtasks import``; answers its exit code and its report."""

    def port(*arguments):
        try:
            call_command("schedtasks", "import", *map(str, arguments), "--format", "json")
            code = 0
        except SystemExit as error:
            code = error.code
        return code, json.loads(capsys.readouterr().out)

    return port
