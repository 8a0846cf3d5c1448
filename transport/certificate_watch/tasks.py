"""Celery tasks about certificates that expire."""

from celery import shared_task

from . import watch


@shared_task
def warn() -> None:
    watch.warn()
