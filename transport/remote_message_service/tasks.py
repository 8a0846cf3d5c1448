"""Celery tasks of other message services."""

from celery import shared_task

from transport import queues

from . import arrivals, orders, polling
from .models import RemoteArrival, RemoteOrder, RemoteService


@shared_task
def poll_due() -> None:
    """Ask the services that are due for news."""
    queues.work_through(RemoteService, polling.work_on, polling.POLL)


@shared_task
def fetch_due() -> None:
    """Fetch and deliver messages that services have for us, and have them deleted there."""
    queues.work_through(RemoteArrival, arrivals.work_on, arrivals.FETCH)


@shared_task
def hand_over_due() -> None:
    """Hand messages over to services, and have them delete those that are settled."""
    queues.work_through(RemoteOrder, orders.work_on, orders.HAND_OVER)


@shared_task
def sweep() -> None:
    """Wake workers for what is due that no worker has claimed."""
    queues.sweep_queue(RemoteService, polling.POLL)
    queues.sweep_queue(RemoteArrival, arrivals.FETCH)
    queues.sweep_queue(RemoteOrder, orders.HAND_OVER)
    arrivals.remove_old()
