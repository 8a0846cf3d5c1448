"""What workers do about certificates that end."""

from celery import shared_task

from . import watch


@shared_task
def warn() -> None:
    watch.warn()
