"""The node put together: settings, URLs, Celery, health."""

from .celery import app as celery_app

__all__ = ["celery_app"]
