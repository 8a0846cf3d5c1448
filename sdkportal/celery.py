"""The Celery application. Tasks carry an id and nothing else; beat wakes the sweepers."""

import contextlib
import os
import tempfile
from importlib import import_module

from billiard import util as billiard_util
from celery import Celery, signals

from transport.storage import work_files

from .monitoring import beat
from .postgresql import prepare_statements
from .startup.garbage_collection import freeze_objects
from .startup.hardening import deny_reading_of_memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")

app = Celery("sdkportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Celery would close the connection to the database before and after each task, and a new one costs PostgreSQL
# more than a small task's statements do. Instead it is kept as Django keeps it between requests: as long as
# `SDK_DATABASE_CONNECTION_AGE` says, and asked whether it still works before each task.
app.conf.CELERY_DB_REUSE_MAX = 1_000_000


@signals.worker_init.connect
def prepare_worker(**_: object) -> None:
    """In the worker's first process, before it forks its children."""
    # Forked children inherit it.
    deny_reading_of_memory()
    prepare_statements()
    # Where the pool's processes share their counters. It holds nothing of anybody's, lasts as long as the
    # worker, and would be left in SDK_WORK_DIR by one that is killed. Named here, because Python looks for
    # it by writing a file, which a full disk refuses.
    tempfile.tempdir = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - a directory of its own is made in it
    with contextlib.suppress(OSError):
        billiard_util.get_temp_dir()
    work_files.keep_temporary_files()
    freeze_objects()


@signals.worker_process_shutdown.connect
def end_observation(**_: object) -> None:
    """In a forked child that ends."""
    import_module("sdkportal.startup.observation").end()


@signals.beat_init.connect
def prepare_beat(**_: object) -> None:
    deny_reading_of_memory()
    signals.after_task_publish.connect(beat.mark_alive)


@signals.task_prerun.connect
@signals.task_postrun.connect
def close_unusable_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
