"""What the pages share: links that lead somewhere, buttons that are forms, rows that nobody edits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import django
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask, TaskExecution

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin

MOST_NAMES = 5
STATIC = "django_sched_tasks"  # the folder of our scripts and styles


class Links:
    """Where this reader may go within this admin site."""

    def __init__(self, site: admin.AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._may_view: dict[type[Model], bool] = {}

    def may_view(self, model: type[Model]) -> bool:
        if model not in self._may_view:
            page = self._site.get_model_admin(model) if self._site.is_registered(model) else None
            self._may_view[model] = page is not None and page.has_view_permission(self._request)
        return self._may_view[model]

    def to(self, model: type[Model], pk: Any) -> str | None:
        return self._reverse(model, "change", pk) if pk is not None and self.may_view(model) else None

    def to_page(self, model: type[Model], page: str, *args: Any) -> str | None:
        """The address of another page of a model's, such as a task's week."""
        return self._reverse(model, page, *args) if self.may_view(model) else None

    def to_list(self, model: type[Model]) -> str | None:
        return self._reverse(model, "changelist") if self.may_view(model) else None

    def _reverse(self, model: type[Model], page: str, *args: Any) -> str | None:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        try:
            return reverse(name, args=args, current_app=self._site.name)
        except NoReverseMatch:  # the site does without this page
            return None


class LinkingChangeList(ChangeList):
    """A list whose rows know where its reader may go."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        links = Links(self.model_admin.admin_site, request)
        for row in self.result_list:
            row.links = links


@dataclass(frozen=True, slots=True)
class Button:
    """One thing to do with the object of a page.

    ``do(request, object)`` tells the user what came of it, and may answer where to go on.
    """

    name: str
    label: Any
    permission: str
    do: Callable[[HttpRequest, Any], str | None]
    fits: Callable[[Any], bool] = lambda obj: True
    with_note: bool = False


def scripts(*names: str) -> forms.Media:
    """Our scripts of these names, run in this order once the page is there."""
    tags: list[Any] = [forms.Script(f"{STATIC}/{name}.js", defer=True) for name in names]
    return forms.Media(js=tags)


class SteeringAdmin(AnyModelAdmin):
    """Pages with buttons: each a form of its own, sent by POST, guarded by its permission."""

    class Media:
        css = {"all": (f"{STATIC}/admin.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LinkingChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        overview = Links(self.admin_site, request).to_page(SchedulerTask, "overview")
        return super().changelist_view(request, {"sched_overview_url": overview, **(extra_context or {})})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.links = Links(self.admin_site, request)
        return obj

    def buttons(self) -> Iterable[Button]:
        return ()

    def further_pages(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        """Links beside the buttons of an object's page, as (text, address)."""
        return []

    def page_context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        """What templates of our own pages need of the admin site that they are in."""
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "breadcrumbs_are_a_list": django.VERSION >= (6, 1),
            "media": self.media,
            **more,
        }

    def has_run_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("django_sched_tasks.run_schedulertask")

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("django_sched_tasks.pause_schedulertask")

    def _may(self, request: HttpRequest, button: Button) -> bool:
        return bool(getattr(self, f"has_{button.permission}_permission")(request))

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _url_of(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self._url_name(name)}", args=args, current_app=self.admin_site.name)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{button.name}/",
                self.admin_site.admin_view(self._press, cacheable=False),
                {"name": button.name},
                name=self._url_name(button.name),
            )
            for button in self.buttons()
        ]
        return [*own, *super().get_urls()]

    def _press(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        button = next(button for button in self.buttons() if button.name == name)
        obj = self.get_object(request, unquote(object_id))
        if not (self._may(request, button) and self.has_view_or_change_permission(request, obj)):
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        return HttpResponseRedirect(button.do(request, obj) or self._url_after(request, obj))

    def _url_after(self, request: HttpRequest, obj: Any) -> str:
        """Back to the list, as it was filtered, if the button stood in a row of it; else to the object's page."""
        if (query := request.GET.get("list")) is None:
            return self._url_of("change", obj.pk)
        return f"{self._url_of('changelist')}?{query}" if query else self._url_of("changelist")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = context.get("original")
        if obj is not None:
            fitting = [button for button in self.buttons() if self._may(request, button) and button.fits(obj)]
            context["sched_buttons"] = [(button, self._url_of(button.name, obj.pk)) for button in fitting]
            context["sched_links"] = self.further_pages(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)


class HistoryAdmin(SteeringAdmin):
    """Rows that the engine writes and nobody else."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Refusals:
    """What operations refused, object by object, told reason by reason."""

    def __init__(self) -> None:
        self._by_reason: dict[str, list[str]] = {}

    @contextmanager
    def of(self, obj: Any) -> Iterator[None]:
        try:
            yield
        except (SchedulerTask.DoesNotExist, TaskExecution.DoesNotExist):
            self._by_reason.setdefault(_("It has been deleted meanwhile."), []).append(str(obj))
        except (StateConflict, InvalidDefinition) as error:
            self._by_reason.setdefault(str(error), []).append(str(obj))

    def tell(self, request: HttpRequest) -> None:
        for reason, names in self._by_reason.items():
            listed = pgettext("between the items of a list", ", ").join(f"“{name}”" for name in names[:MOST_NAMES])
            if more := len(names) - MOST_NAMES if len(names) > MOST_NAMES else 0:
                listed += ngettext(" and %d more", " and %d more", more) % more
            messages.warning(request, _("%(names)s: %(reason)s") % {"names": listed, "reason": reason})
