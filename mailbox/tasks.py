"""What workers do for the message client."""

from celery import shared_task

from . import files, sessions


@shared_task
def tidy() -> None:
    files.remove_forgotten()
    sessions.forget_ended()
