"""Exceptions as HTTP answers: the one place that knows which status each of them is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from django.utils.translation import gettext_lazy as _
from rest_framework import status, views
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.response import Response

from django_sched_tasks import database
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.payload import clean_text

logger = logging.getLogger(__name__)

# An unknown field's name, and what an error quotes, are whatever somebody sent.
LONGEST_NAME = 100
LONGEST_SENTENCE = 1000


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body of the request is larger than this site accepts.")
    default_code = "too_large"


class Unavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The database cannot be used at the moment. Try again in a few seconds.")
    default_code = "unavailable"
    wait = 5  # what DRF sends as Retry-After


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's own handler, whatever the host's is, after our exceptions have become DRF's."""
    return views.exception_handler(as_api_exception(error), dict(context))


def as_api_exception(error: Exception) -> Exception:
    """The same error as DRF puts it; what it is not ours to explain stays as it is."""
    if isinstance(error, InvalidDefinition):
        return ValidationError({clean_text(field, LONGEST_NAME): _told(texts) for field, texts in error.errors.items()})
    if isinstance(error, StateConflict):
        return Conflict(str(error))
    if isinstance(error, ObjectDoesNotExist):
        return NotFound(str(error))
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if database.is_unmigrated(error):
        logger.warning("The tables of the scheduler are missing, run 'manage.py migrate': %s", error)
        return Unavailable(_("The tables of the scheduler are missing. Run 'manage.py migrate'."))
    if database.is_outage(error):
        logger.warning("A request could not be answered: %s", error, exc_info=error)
        return Unavailable()
    return error


def _told(texts: list[str]) -> list[str]:
    return [clean_text(text, LONGEST_SENTENCE) for text in texts]
