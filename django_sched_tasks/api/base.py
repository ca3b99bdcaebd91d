"""What all views of this API have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.viewsets import GenericViewSet

from django_sched_tasks import conf, database
from django_sched_tasks.api.errors import exception_handler
from django_sched_tasks.api.filters import FieldFilter, OrderingFilter, Parameter, SearchFilter
from django_sched_tasks.api.media import JSONParser, JSONRenderer, browsable_renderers
from django_sched_tasks.api.pagination import SchedulerPagination
from django_sched_tasks.api.reading import read_id
from django_sched_tasks.models import SchedulerTask
from django_sched_tasks.triggers.errors import shown


class SchedulerViewSet(GenericViewSet[Any]):
    """The contract stands whatever the host's DRF settings; authentication and throttling are the host's."""

    model: ClassVar[type[Model]] = SchedulerTask
    # The permission that an action needs, where it is not the usual one of its method for the model.
    needs: ClassVar[dict[str, str]] = {}
    filters: ClassVar[dict[str, Parameter]] = {}
    search_fields: ClassVar[tuple[str, ...]] = ()
    ordering_fields: ClassVar[tuple[str, ...]] = ()

    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer, *browsable_renderers())
    filter_backends = (FieldFilter, SearchFilter, OrderingFilter)
    pagination_class = SchedulerPagination
    content_negotiation_class = DefaultContentNegotiation
    versioning_class = None
    lookup_value_regex = "[^/]+"

    def get_permissions(self) -> list[Any]:
        return [import_string(path)() for path in conf.api_permission_classes()]

    def get_exception_handler(self) -> Any:
        return exception_handler

    def get_queryset(self) -> QuerySet[Any]:
        return self.model._default_manager.using(database.alias())

    def get_object(self) -> Any:
        found = self.find(self.get_queryset(), self.kwargs["pk"])
        self.check_object_permissions(self.request, found)
        return found

    def find(self, rows: QuerySet[Any], given: str) -> Any:
        """The row of this id; whatever no id can be is not found either."""
        pk = self.read_pk(given)
        found = rows.filter(pk=pk).first() if pk is not None else None
        if found is None:
            name = rows.model._meta.verbose_name
            raise NotFound(_("There is no %(name)s with the id %(id)s.") % {"name": name, "id": shown(given)})
        return found

    def read_pk(self, given: str) -> Any:
        return read_id(given)
