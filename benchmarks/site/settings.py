"""A plain site on the trial's database, with the apps of the one contender that the environment names."""

import os

from benchmarks import databases
from benchmarks.contenders import CONTENDERS

CONTENDER = CONTENDERS[os.environ["BENCHMARK_CONTENDER"]]

DEBUG = False
SECRET_KEY = "only-for-benchmarks"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "benchmarks.site.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "benchmarks.site",
    *CONTENDER.apps,
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": databases.settings()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = True
TIME_ZONE = "UTC"

globals().update(CONTENDER.settings)
