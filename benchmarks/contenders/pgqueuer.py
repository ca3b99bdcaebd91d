"""pgqueuer: a queue in PostgreSQL for asyncio, which plans nothing; for what a queue alone can do."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, ClassVar

from benchmarks import databases
from benchmarks.contenders.base import Contender, Order
from benchmarks.site.tasks import work
from benchmarks.starts import CANARY


class PgQueuer(Contender):
    name = "pgqueuer"
    title = "pgqueuer (asyncio, plans nothing)"
    databases = frozenset({"postgresql"})
    scenarios: ClassVar[frozenset[str] | None] = frozenset({"burst", "several"})
    is_counted = False
    modules = ("pgqueuer", "psycopg")
    packages = ("pgqueuer",)
    uses_django = False

    def prepare(self) -> None:
        asyncio.run(self._with_queries("install"))

    def store(self, order: Order) -> None:
        asyncio.run(self._with_queries("store", order))

    def serve(self) -> None:
        asyncio.run(self._serve())

    async def _with_queries(self, verb: str, order: Order | None = None) -> None:
        from pgqueuer.queries import Queries

        async with await _connection() as connection:
            queries = Queries(_driver(connection))
            if verb == "install":
                await queries.install()
            elif order is not None:
                await queries.enqueue("work", str(CANARY).encode(), 0, timedelta(0))
                numbers = [str(number).encode() for number in range(1, order.count + 1)]
                wait = timedelta(seconds=order.first - time.time())
                await queries.enqueue(["work"] * order.count, numbers, [0] * order.count, [wait] * order.count)

    async def _serve(self) -> None:
        from pgqueuer import PgQueuer as Queue

        async with await _connection() as connection:
            queue = Queue(_driver(connection))

            queue.entrypoint("work")(_start)
            await queue.run()


async def _start(job: Any) -> None:
    work(int(job.payload))


def _driver(connection: Any) -> Any:
    from pgqueuer.db import PsycopgDriver

    return PsycopgDriver(connection)


async def _connection() -> Any:
    import psycopg

    return await psycopg.AsyncConnection.connect(**databases.for_psycopg(), autocommit=True)
