"""Who is measured, by name."""

from benchmarks.contenders.bare_apscheduler import BareAPScheduler
from benchmarks.contenders.base import Contender, Order
from benchmarks.contenders.beat import CeleryBeat
from benchmarks.contenders.django_apscheduler import DjangoAPScheduler
from benchmarks.contenders.ours import Ours
from benchmarks.contenders.pgqueuer import PgQueuer
from benchmarks.contenders.procrastinate import Procrastinate

__all__ = ["CONTENDERS", "OURS", "Contender", "Order"]

OURS = Ours.name
CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (Ours(), BareAPScheduler(), DjangoAPScheduler(), CeleryBeat(), Procrastinate(), PgQueuer())
}
