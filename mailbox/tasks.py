"""What workers do for the message client."""

from celery import shared_task

from . import files


@shared_task
def tidy() -> None:
    files.remove_forgotten()
