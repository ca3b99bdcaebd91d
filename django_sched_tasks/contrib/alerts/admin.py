"""The admin's pages of alerts, their rules and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_sched_tasks import database
from django_sched_tasks.contrib.alerts import book
from django_sched_tasks.contrib.alerts.models import (
    Alert,
    AlertChannel,
    AlertDelivery,
    AlertRule,
    AlertState,
    Event,
)
from django_sched_tasks.models import SchedulerTask

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyInline = admin.TabularInline[Any, Any]
    AnyForm = forms.ModelForm[Any]
else:
    AnyModelAdmin, AnyInline, AnyForm = admin.ModelAdmin, admin.TabularInline, forms.ModelForm

TONES = {AlertState.OPEN: "bad", AlertState.ACKNOWLEDGED: "warn", AlertState.RESOLVED: "good"}
CSS = {"all": ("django_sched_tasks/admin.css",)}


class DeliveryInline(AnyInline):
    model = AlertDelivery
    fields = readonly_fields = ("channel", "event", "state", "attempts", "due_at", "sent_at", "error")
    extra = 0
    can_delete = False
    ordering = ("pk",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With the alert that they belong to."""
        return True


@admin.register(Alert)
class AlertAdmin(AnyModelAdmin):
    """Written by the watch; people say that they know."""

    list_display = ("title", "condition", "badge", "task_link", "opened_at", "seen_at", "resolved_at")
    list_filter = ("state", "condition")
    search_fields = ("title", "subject", "detail")
    list_select_related = ("task",)
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "opened_at"
    actions = ("acknowledge",)
    inlines = (DeliveryInline,)
    fields = readonly_fields = (
        *("title", "detail", "condition", "badge", "task_link", "execution_id"),
        *("opened_at", "seen_at", "acknowledged_at", "acknowledged_by", "resolved_at"),
    )

    class Media:
        css = CSS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def badge(self, alert: Alert) -> SafeString:
        tone = TONES[AlertState(alert.state)]
        return format_html('<span class="sched-badge sched-{}">{}</span>', tone, alert.get_state_display())

    @admin.display(description=gettext_lazy("scheduled task"), ordering="task")
    def task_link(self, alert: Alert) -> SafeString | str:
        if alert.task is None:
            return "–"
        name = f"admin:{SchedulerTask._meta.app_label}_{SchedulerTask._meta.model_name}_change"
        try:
            url = reverse(name, args=[alert.task_id], current_app=self.admin_site.name)
        except NoReverseMatch:  # the site does without this page
            return str(alert.task)
        return format_html('<a href="{}">{}</a>', url, alert.task)

    @admin.action(description=gettext_lazy("Acknowledge the selected alerts"), permissions=["change"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        done = len(book.acknowledge(list(queryset.values_list("pk", flat=True)), user=request.user))
        text = ngettext("%d alert is acknowledged.", "%d alerts are acknowledged.", done) % done
        self.message_user(request, text, messages.SUCCESS if done else messages.INFO)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Nothing on the page can be changed: the list's action is how somebody says that he knows."""
        no_buttons = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        return super().render_change_form(request, {**context, **no_buttons}, *args, **kwargs)


@admin.register(AlertRule)
class RuleAdmin(AnyModelAdmin):
    list_display = ("condition", "task", "threshold", "is_enabled", "channel_names")
    list_filter = ("condition", "is_enabled")
    search_fields = ("task__name", "task__job_id")
    list_select_related = ("task",)
    raw_id_fields = ("task",)
    filter_horizontal = ("channels",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        return super().get_queryset(request).prefetch_related("channels")

    @admin.display(description=gettext_lazy("channels"))
    def channel_names(self, rule: AlertRule) -> str:
        return ", ".join(channel.name for channel in rule.channels.all()) or _("the default channels")


class ChannelForm(AnyForm):
    """The secret is written and never shown: left empty it stays as it is."""

    secret = forms.CharField(
        label=gettext_lazy("secret"),
        required=False,
        max_length=255,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("A webhook's messages are signed with it. Never shown; left empty it stays as it is."),
    )

    class Meta:
        model = AlertChannel
        fields = ("name", "kind", "target", "secret", "is_default", "is_enabled")

    def clean_secret(self) -> str:
        given: str = self.cleaned_data["secret"]
        return given or (self.instance.secret if self.instance.pk else "")


@admin.register(AlertChannel)
class ChannelAdmin(AnyModelAdmin):
    form = ChannelForm
    list_display = ("name", "kind", "is_default", "is_enabled", "is_signed", "sent_at", "failures")
    list_filter = ("kind", "is_enabled")
    search_fields = ("name",)
    actions = ("send_test",)

    @admin.display(description=gettext_lazy("signed"), boolean=True)
    def is_signed(self, channel: AlertChannel) -> bool:
        return bool(channel.secret)

    @admin.action(description=gettext_lazy("Send a test to the selected channels"), permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[AlertChannel]) -> HttpResponse | None:
        using = database.alias()
        now = database.now(using)
        tests = [book.new_delivery(channel, Event.TEST, now) for channel in queryset.filter(is_enabled=True)]
        AlertDelivery.objects.using(using).bulk_create(tests)
        text = ngettext("%d test will be sent shortly.", "%d tests will be sent shortly.", len(tests)) % len(tests)
        self.message_user(request, text)
        return HttpResponseRedirect(request.get_full_path())
