"""Functions in words for people."""

from __future__ import annotations

from django_sched_tasks import registry


def test_a_function_is_described():
    described = {info.path: info for info in registry.functions()}
    restock = described["depot.tasks:restock"]
    assert (restock.module, restock.name, restock.summary) == ("depot.tasks", "restock", "Fill the shelves.")
    assert restock.doc.endswith("More about shelves.")
    assert restock.signature == (
        "(kind: str, *, since: str | None = None, price: Decimal | None = None, at: date = datetime.date(1, 1, 1))"
    )
    kind, since, _, at = restock.parameters
    assert kind == registry.ParameterInfo("kind", "positional_or_keyword", True, "str", None, False)
    assert since == registry.ParameterInfo("since", "keyword_only", False, "str | None", None, True)
    assert (at.default, at.has_default) == (None, True)
    assert described["depot.tasks:fetch"].is_async
    assert not restock.is_async
