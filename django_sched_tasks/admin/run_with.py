"""One run of a task with other arguments than its own, which a failed run is mended with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import operations, registry
from django_sched_tasks.admin import assist, show
from django_sched_tasks.admin.base import SteeringAdmin, scripts
from django_sched_tasks.admin.forms import JSONList, JSONObject, json_area
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask, TaskExecution


class ArgumentsForm(forms.Form):
    args = JSONList(label=gettext_lazy("positional arguments"), required=False, widget=json_area(2))
    kwargs = JSONObject(label=gettext_lazy("keyword arguments"), required=False, widget=json_area(3))
    keep = forms.BooleanField(label=gettext_lazy("Keep them: later runs of the task get them too"), required=False)

    def __init__(self, *args: Any, may_keep: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not may_keep:
            del self.fields["keep"]


class RunWith(SteeringAdmin):
    """The page of it, for those who may run tasks."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self._run_with, cacheable=False)
        return [path("<path:object_id>/run-with/", view, name=self._url_name("run_with")), *super().get_urls()]

    def _run_with(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self.get_object(request, unquote(object_id))
        if not (self.has_run_permission(request) and self.has_view_or_change_permission(request, task)):
            raise PermissionDenied
        if task is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        mended, may_keep = self._mended(request, task), self.has_change_permission(request, task)
        if request.method == "POST":
            form = ArgumentsForm(request.POST, may_keep=may_keep)
            if form.is_valid() and (execution := self._queue(request, task, mended, form)) is not None:
                return self._go_on(request, task, execution)
        else:
            form = ArgumentsForm(initial=_shown(mended or task), may_keep=may_keep)
        return TemplateResponse(
            request, "admin/django_sched_tasks/run_with.html", self._run_with_context(request, task, form)
        )

    def _mended(self, request: HttpRequest, task: SchedulerTask) -> TaskExecution | None:
        """The execution that the reader comes from, if any: it is tried again, with other arguments."""
        pk = request.GET.get("execution", "")
        return TaskExecution.objects.filter(pk=pk, task=task).first() if pk.isdecimal() else None

    def _queue(
        self, request: HttpRequest, task: SchedulerTask, mended: TaskExecution | None, form: ArgumentsForm
    ) -> TaskExecution | None:
        """The execution, or None where the rules refuse; what they say then stands at its field."""
        given = {name: form.cleaned_data[name] for name in ("args", "kwargs")}
        try:
            if mended is not None:
                execution = operations.retry_execution(mended.pk, **given, user=request.user)
            else:
                execution = operations.run_task(task.pk, **given, user=request.user)
            if form.cleaned_data.get("keep"):
                operations.update_task(task.pk, given, user=request.user)
            return execution
        except InvalidDefinition as error:
            for name, texts in error.errors.items():
                form.add_error(name if name in form.fields else None, [str(text) for text in texts])
        except (StateConflict, SchedulerTask.DoesNotExist) as error:
            form.add_error(None, str(error))
        return None

    def _go_on(self, request: HttpRequest, task: Any, execution: TaskExecution) -> HttpResponse:
        url = task.links.to(TaskExecution, execution.pk)
        text = _("The run is queued:")
        messages.success(request, format_html("{} {}", text, show.link(url, execution)))
        return HttpResponseRedirect(url or self._url_of("change", task.pk))

    def _run_with_context(self, request: HttpRequest, task: Any, form: ArgumentsForm) -> dict[str, Any]:
        return self.page_context(
            request,
            task=task,
            task_url=self._url_of("change", task.pk),
            list_url=self._url_of("changelist"),
            title=_("Run with other arguments"),
            subtitle=str(task),
            form=form,
            function=assist.function(task.func),
            arguments_config={"inputs": assist.inputs_of(task.func), "texts": assist.texts()},
            media=self.media + scripts("arguments"),
        )


def _shown(given: SchedulerTask | TaskExecution) -> dict[str, Any]:
    """The arguments as they may be shown; what is given back hidden is put in again by the operations."""
    args, kwargs = registry.hidden_arguments(given.func, given.args, given.kwargs)
    return {"args": args, "kwargs": kwargs}
