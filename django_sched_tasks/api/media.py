"""JSON in and JSON out, the same whatever the host's DRF settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework import parsers, renderers
from rest_framework.exceptions import ParseError
from rest_framework.settings import api_settings
from rest_framework.utils import json


class JSONParser(parsers.JSONParser):
    """JSON as its standard has it: always UTF-8, no NaN, and no larger than the site's DATA_UPLOAD_MAX_MEMORY_SIZE."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return json.loads(_read(stream).decode("utf-8-sig"), parse_constant=json.strict_constant)
        except RecursionError as error:
            raise ParseError(_("The JSON of the body is nested too deeply.")) from error
        except ValueError as error:
            raise ParseError(_("The body is not JSON in UTF-8: %s") % error) from error


def _read(stream: IO[Any]) -> bytes:
    limit: int | None = getattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE")  # noqa: B009 - mypy takes the default for its type
    body: bytes = stream.read() if limit is None else stream.read(limit + 1)
    if limit is not None and len(body) > limit:
        raise RequestDataTooBig
    return body


class JSONRenderer(renderers.JSONRenderer):
    """JSON in UTF-8; where a text holds what UTF-8 cannot (a lone surrogate), with escapes."""

    ensure_ascii = False
    compact = True

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:
            return _EscapingRenderer().render(data, accepted_media_type, renderer_context)


class _EscapingRenderer(renderers.JSONRenderer):
    ensure_ascii = True


def browsable_renderers() -> list[type[renderers.BaseRenderer]]:
    """The browsable API, where the host has it."""
    of_host: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return [renderer for renderer in of_host if issubclass(renderer, renderers.BrowsableAPIRenderer)]
