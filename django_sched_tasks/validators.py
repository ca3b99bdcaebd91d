"""Field validators for models, forms and serializers: what registry and triggers refuse, in Django's own exception."""

from __future__ import annotations

import difflib

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_sched_tasks import registry
from django_sched_tasks.exceptions import InvalidFunction
from django_sched_tasks.triggers import KINDS


def validate_function_path(value: object) -> None:
    """Refuse a path that names no function that may be scheduled."""
    try:
        registry.check(value)
    except InvalidFunction as error:
        raise ValidationError(error.errors["func"], code="invalid_function") from error


def validate_trigger_kind(value: object) -> None:
    """Refuse a trigger that is none of the known kinds."""
    if isinstance(value, str) and value in KINDS:
        return
    nearest = difflib.get_close_matches(value, KINDS, n=1) if isinstance(value, str) else []
    hint = _("Did you mean '%(name)s'?") % {"name": nearest[0]} if nearest else _("Known are: %s.") % ", ".join(KINDS)
    raise ValidationError(_("There is no such trigger. %s") % hint, code="invalid_trigger")
