"""The Celery application. Tasks carry an id and nothing else; beat wakes the sweepers."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")

app = Celery("sdkportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
