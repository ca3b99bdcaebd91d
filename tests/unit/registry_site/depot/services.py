"""No task module, but one function in it is marked."""

from depot.views import index
from django_sched_tasks import schedulable

__all__ = ["index"]


@schedulable
def bill(customer):
    """Send a bill."""


def refund(customer): ...
