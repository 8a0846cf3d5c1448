"""The node as a whole: settings, URLs, servers, Celery, startup, monitoring."""

from .celery import app as celery_app

__all__ = ["__version__", "celery_app"]

# The wheel's version too (pyproject.toml), and the newest release of CHANGELOG.md.
__version__ = "0.1.0"
