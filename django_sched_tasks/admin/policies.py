"""The policies of a task as sentences: what they say, rather than how they are set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_sched_tasks import exclusions
from django_sched_tasks.admin import show
from django_sched_tasks.models import OnCrash, Overlap

Policies = Mapping[str, Any]


def sentences(policies: Policies) -> list[str]:
    """One for each policy that matters with these values; a value that is missing tells nothing."""
    return [sentence for told in _TOLD for sentence in told(policies)]


def _lateness(policies: Policies) -> Iterator[str]:
    grace = policies.get("misfire_grace_time")
    if grace is None:
        yield _("However late, a fire time is never missed.")
    else:
        yield _("A fire time that cannot start within %s is missed.") % show.span(grace)


def _catching_up(policies: Policies) -> Iterator[str]:
    if policies.get("coalesce", True):
        yield _("Of several that are due at once, only the latest runs.")
    else:
        most = policies.get("max_catch_up") or 0
        yield (
            ngettext(
                "Of several that are due at once, up to %d runs one after another.",
                "Of several that are due at once, up to %d run one after another.",
                most,
            )
            % most
        )


def _overlap(policies: Policies) -> Iterator[str]:
    most = policies.get("max_instances")
    if most is None:
        yield _("Any number may run at the same time.")
        return
    what = {
        Overlap.SKIP: _("a fire time meanwhile is skipped"),
        Overlap.QUEUE: _("a fire time meanwhile waits"),
        Overlap.REPLACE: _("a fire time meanwhile replaces what waits"),
    }.get(policies.get("overlap") or Overlap.SKIP, "")
    text = ngettext("Only one at a time; %(what)s.", "At most %(most)d at a time; %(what)s.", most)
    yield text % {"most": most, "what": what}
    if key := policies.get("concurrency_key"):
        yield _("Tasks with the key “%s” share this limit.") % show.printable(key)


def _timeout(policies: Policies) -> Iterator[str]:
    timeout = policies.get("timeout")
    yield _("A run may take as long as it needs.") if timeout is None else _("A run may take %s.") % show.span(timeout)


def _retries(policies: Policies) -> Iterator[str]:
    most = policies.get("max_retries") or 0
    if not most:
        yield _("A failed run is not tried again.")
        return
    text = ngettext(
        "A failed run is tried again once, after %(delay)s.",
        "A failed run is tried again up to %(most)d times, first after %(delay)s.",
        most,
    )
    yield text % {"most": most, "delay": show.span(policies.get("retry_delay") or 0)}


def _crash(policies: Policies) -> Iterator[str]:
    if policies.get("on_crash") == OnCrash.RETRY or policies.get("transactional"):
        yield _("If its scheduler dies during a run, it runs again.")
    else:
        yield _("If its scheduler dies during a run, it is told as lost.")


def _pausing(policies: Policies) -> Iterator[str]:
    if most := policies.get("pause_on_failure"):
        yield ngettext("It is paused after %d failure.", "It is paused after %d failures in a row.", most) % most


def _ending(policies: Policies) -> Iterator[str]:
    if most := policies.get("max_runs"):
        yield (
            ngettext("It finishes after %d run of its schedule.", "It finishes after %d runs of its schedule.", most)
            % most
        )


def _excluding(policies: Policies) -> Iterator[str]:
    given = policies.get("exclusions")
    if isinstance(given, list) and given:
        listed = pgettext("between sentences", "; ").join(exclusions.describe(given))
        yield _("Its fire times are skipped: %(list)s.") % {"list": show.printable(listed)}


_TOLD: tuple[Callable[[Policies], Iterator[str]], ...] = (
    _lateness,
    _catching_up,
    _overlap,
    _timeout,
    _retries,
    _crash,
    _pausing,
    _excluding,
    _ending,
)
