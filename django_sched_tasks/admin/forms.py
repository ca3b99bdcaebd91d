"""The form of a task: it reads what was typed and hands it to the rules; every error comes back to its field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_sched_tasks import conf, database, definitions, registry
from django_sched_tasks.admin.show import as_json
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.exclusions import EXAMPLE, describe
from django_sched_tasks.models import SchedulerTask
from django_sched_tasks.triggers import KINDS

if TYPE_CHECKING:
    TaskModelForm = forms.ModelForm[SchedulerTask]
else:
    TaskModelForm = forms.ModelForm


class Suggesting(AdminTextInputWidget):
    """A text field with suggestions; anything else may be typed as well."""

    def __init__(self, suggestions: Callable[[], Iterable[tuple[str, str]]], attrs: Any = None) -> None:
        super().__init__(attrs)
        self._suggestions = suggestions

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        list_id = f"{(attrs or {}).get('id') or name}_suggestions"
        field = super().render(name, value, {**(attrs or {}), "list": list_id, "autocomplete": "off"}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self._suggestions())
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


def _known_functions() -> Iterator[tuple[str, str]]:
    for known in registry.functions():
        yield known.path, f"{known.name}{known.signature} {known.summary}".strip()


def _known_zones() -> Iterator[tuple[str, str]]:
    return ((name, "") for name in sorted(available_timezones()))


def _known_executors() -> Iterator[tuple[str, str]]:
    return ((alias, "") for alias in conf.executors())


class PlainText(forms.CharField):
    """Text that counts as unchanged where only the browser's line ends or the stripped spaces differ."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if isinstance(text, str) else text

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)


class PrettyJSON(forms.JSONField):
    """JSON to read and write; what cannot be read is shown again as it was typed."""

    empty: Callable[[], Any] = dict

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            return self.empty()
        try:
            return super().to_python(value)
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, or 5,000 brackets
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else InvalidJSONInput(data or "")

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, InvalidJSONInput) else as_json(value)


class JSONObject(PrettyJSON):
    pass


class JSONList(PrettyJSON):
    empty = list


def _trigger_examples() -> SafeString:
    lines = ((kind.label, as_json(kind.example, indent=None)) for kind in KINDS.values())
    examples = format_html_join("", "<li>{}: <code>{}</code></li>", lines)
    return format_html('{}<ul class="sched-examples">{}</ul>', _("A JSON object, for example:"), examples)


def _exclusion_examples() -> SafeString:
    lines = ((as_json(item, indent=None), text) for item, text in zip(EXAMPLE, describe(EXAMPLE), strict=True))
    examples = format_html_join("", "<li><code>{}</code>: {}</li>", lines)
    text = _("Dates and windows in which its fire times are skipped. A JSON list of such objects:")
    return format_html('{}<ul class="sched-examples">{}</ul>', text, examples)


WIDE = {"class": "vLargeTextField"}


def json_area(rows: int) -> forms.Textarea:
    return forms.Textarea({"rows": rows, "class": "vLargeTextField sched-json", "spellcheck": "false"})


class TaskForm(TaskModelForm):
    # What the operation refused when this very request tried to save: somebody else was faster.
    refusal: Mapping[str, list[str]] = {}

    class Meta:
        model = SchedulerTask
        fields = definitions.FIELDS
        field_classes = {
            **dict.fromkeys(("name", "job_id", "func", "description", "timezone"), PlainText),
            **dict.fromkeys(("queue", "executor", "concurrency_key"), PlainText),
            **{name: JSONList if kind is list else JSONObject for name, kind in definitions.JSON_FIELDS.items()},
        }
        widgets = {
            **{name: json_area(2) for name in definitions.JSON_FIELDS},
            "name": AdminTextInputWidget(WIDE),
            "func": Suggesting(_known_functions, WIDE),
            "timezone": Suggesting(_known_zones),
            "executor": Suggesting(_known_executors),
            "description": forms.Textarea({"rows": 2, "class": "vLargeTextField"}),
            "trigger_args": json_area(5),
            "kwargs": json_area(3),
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._is_new():
            policies = {name: value for name, value in conf.defaults().items() if name in definitions.POLICIES}
            self.initial = {"job_id": "", **policies, **self.initial}
        else:
            task = self.instance
            shown = registry.hidden_arguments(task.func, task.args, task.kwargs)
            self.initial["args"], self.initial["kwargs"] = shown
        for field in self.fields.values():
            field.show_hidden_initial = False
        if "job_id" in self.fields:
            self.fields["job_id"].required = False
        if "trigger" in self.fields:
            self.fields["trigger"] = self._trigger_choice()
        if "trigger_args" in self.fields:
            self.fields["trigger_args"].help_text = _trigger_examples()
        if "exclusions" in self.fields:
            self.fields["exclusions"].help_text = _exclusion_examples()
        if self._is_new() and "misfire_grace_time" in self.fields:
            self.fields["misfire_grace_time"].help_text += _(" A single date has none unless it is changed here.")

    def _is_new(self) -> bool:
        return self.instance.pk is None

    def _trigger_choice(self) -> forms.ChoiceField:
        choices = [(kind.name, kind.label) for kind in KINDS.values()]
        stored = self.instance.trigger
        if stored and stored not in KINDS:  # a row from elsewhere: shown as it is
            choices.append((stored, stored))
        return forms.ChoiceField(label=self.fields["trigger"].label, choices=choices)

    def definition(self) -> dict[str, Any]:
        """What to give to the operation: all that makes a new task, or what was changed of a stored one.

        What was left alone in a new one is left out, so that the operation's own defaults apply.
        """
        wanted = set(self.changed_data)
        if self._is_new():
            wanted |= set(definitions.REQUIRED)
        return {name: value for name, value in self.cleaned_data.items() if name in wanted}

    def _post_clean(self) -> None:
        """In place of the model's validation: the rules', which let pass what a stored task already holds."""
        unclear = self._unclear_fields()
        for name, texts in {**self._complaints(), **self.refusal}.items():
            if name not in unclear:
                self.add_error(name if name in self.fields else None, [str(text) for text in texts])

    def _unclear_fields(self) -> set[str]:
        """Those with an error already, and those that can only be judged together with one of them."""
        unclear = set(self.errors)
        for together in (definitions.TRIGGER_FIELDS, definitions.FUNCTION_FIELDS):
            if unclear & set(together):
                unclear |= set(together)
        return unclear

    def _complaints(self) -> Mapping[str, list[str]]:
        now = database.now()
        try:
            if self._is_new():
                definitions.clean_new(self.definition(), now=now)
            else:
                definitions.clean_changes(self.instance, self.definition(), now=now)
        except InvalidDefinition as error:
            return error.errors
        return {}
