"""Celery tasks as a site has them."""

from celery import shared_task


@shared_task
def send(address: str, copies: int = 1) -> str:
    return f"{copies} x {address}"


@shared_task(name="a name of its own", bind=True)
def bound(self, address: str) -> str:
    return address
