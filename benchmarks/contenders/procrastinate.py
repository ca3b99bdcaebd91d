"""procrastinate: a queue in PostgreSQL; the tasks of a burst are jobs that were deferred to that instant."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from benchmarks.contenders.base import Contender, Order, instant
from benchmarks.site.tasks import work
from benchmarks.starts import CANARY


class Procrastinate(Contender):
    name = "procrastinate"
    title = "procrastinate"
    databases = frozenset({"postgresql"})
    scenarios: ClassVar[frozenset[str] | None] = frozenset({"burst", "several"})
    is_counted = False
    modules = ("procrastinate",)
    packages = ("procrastinate",)
    apps = ("procrastinate.contrib.django",)

    def _app(self) -> Any:
        from procrastinate.contrib.django import app

        app.tasks.get("work") or app.task(name="work")(work)
        return app

    def store(self, order: Order) -> None:
        task = self._app().tasks["work"]
        task.configure(schedule_at=instant(time.time() - 60)).defer(number=CANARY)
        jobs = ({"number": number, "seconds": order.seconds} for number in range(1, order.count + 1))
        task.configure(schedule_at=instant(order.first)).batch_defer(*jobs)

    def serve(self) -> None:
        app = self._app()
        app = app.with_connector(app.connector.get_worker_connector())
        app.run_worker(concurrency=10, install_signal_handlers=False)
