"""Celery tasks for the federation's services."""

from celery import shared_task

from . import status_feed


@shared_task
def refresh_status_feed() -> None:
    status_feed.refresh()
