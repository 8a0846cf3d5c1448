"""What workers do for the message client."""

from celery import shared_task

from . import access_log
from .accounts import sessions
from .administration import alarms, mailboxes, quarantine, retention
from .attachments import uploads
from .conversations import assignment, presence
from .drafts import composer, send_order
from .notifications import notices
from .search import index


@shared_task
def remove_orphaned_files() -> None:
    uploads.remove_forgotten()
    sessions.remove_ended_sessions()
    access_log.log_heads()
    presence.forget()
    composer.remove_untouched()


@shared_task
def index_missing() -> None:
    index.index_missing()


@shared_task
def index_all_missing() -> None:
    index.index_missing(everything=True)


@shared_task
def end_memberships() -> None:
    mailboxes.end_memberships()


@shared_task
def send_due_reminders() -> None:
    assignment.send_due_reminders()


@shared_task
def send_unattended_alarms() -> None:
    alarms.send_alarms()


@shared_task
def send_malware_alarms() -> None:
    quarantine.send_alarms()


@shared_task
def delete_expired() -> None:
    retention.run()


@shared_task
def send_notices() -> None:
    notices.send_notices()


@shared_task
def send_draft(draft_id: str) -> None:
    send_order.send_if_due(int(draft_id))


@shared_task
def send_due_drafts() -> None:
    send_order.sweep()
