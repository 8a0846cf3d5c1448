"""What workers do for the message client."""

from celery import shared_task

from . import (
    access_log,
    administration,
    draft_sending,
    files,
    handling,
    notices,
    presence,
    quarantine,
    retention,
    sessions,
    watch,
)
from .search import index


@shared_task
def tidy() -> None:
    files.remove_forgotten()
    sessions.forget_ended()
    access_log.note_heads()
    presence.forget()


@shared_task
def index_what_was_missed() -> None:
    index.catch_up()


@shared_task
def index_all_that_was_missed() -> None:
    index.catch_up(everything=True)


@shared_task
def end_memberships() -> None:
    administration.end_memberships()


@shared_task
def bring_up() -> None:
    handling.bring_up()


@shared_task
def look_for_unattended() -> None:
    watch.look()


@shared_task
def tell_of_malware() -> None:
    quarantine.look()


@shared_task
def delete_what_is_due() -> None:
    retention.run()


@shared_task
def tell_of_what_arrived() -> None:
    notices.tell()


@shared_task
def send_draft(draft_id: str) -> None:
    draft_sending.send_if_due(int(draft_id))


@shared_task
def send_what_is_due() -> None:
    draft_sending.sweep()
