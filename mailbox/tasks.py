"""The Celery tasks of the message client; each calls one function of a room."""

from celery import shared_task

from . import access_log, events
from .accounts import sessions
from .accounts.saml import pending, provider_metadata
from .administration import alarms, counterparts, mailboxes, quarantine, retention
from .attachments import uploads
from .automatic_answers import limits as automatic_answer_limits
from .automatic_answers import sending as automatic_answers
from .case_systems import deliveries, packages, polling
from .conversations import presence, reminders
from .daily_figures import storage
from .drafts import composer, send_order
from .notifications import approvals, duty, notices
from .protection import abandoned
from .search import index
from .staffed_hours import time_limits
from .statistics.departments import monthly_mail


@shared_task
def remove_orphaned_files() -> None:
    """Remove orphaned files, ended sessions, expired presence and old announcements; log the heads of the
    access log."""
    uploads.remove_forgotten()
    sessions.remove_ended_sessions()
    pending.remove_expired()
    access_log.log_heads()
    presence.remove_expired()
    events.remove_old()
    composer.remove_untouched()
    packages.remove_forgotten()


@shared_task
def index_missing() -> None:
    """Index recent rows that are not in the search index."""
    index.index_missing()


@shared_task
def index_all_missing() -> None:
    """Index all rows that are not in the search index."""
    index.index_missing(everything=True)


@shared_task
def refresh_saml_metadata() -> None:
    """Fetch the metadata of the providers that people log in at by SAML."""
    provider_metadata.refresh()


@shared_task
def end_memberships() -> None:
    """Delete memberships that have ended."""
    mailboxes.end_memberships()


@shared_task
def send_due_reminders() -> None:
    """Bring up conversations whose reminder is due."""
    reminders.send_due_reminders()


@shared_task
def send_unattended_alarms() -> None:
    """Update the alarms of unattended mailboxes, and mail their managers."""
    alarms.send_alarms()


@shared_task
def send_malware_alarms() -> None:
    """Mail administrators about malicious files, and about a scanner that does not answer."""
    quarantine.send_alarms()


@shared_task
def send_dead_letter_alarms() -> None:
    """Mail administrators about arrivals that could not be validated."""
    counterparts.send_alarms()


@shared_task
def recompute_time_limits() -> None:
    """Compute time limits anew where service levels or staffed hours have been changed."""
    time_limits.recompute_due()


@shared_task
def delete_expired() -> None:
    """Delete conversations whose retention time is up."""
    retention.run()


@shared_task
def send_notices() -> None:
    """Send the notifications that people have chosen, those of people on duty and of protected conversations,
    and the alarm about automatic answers that are stopped."""
    automatic_answer_limits.send_alarms()
    abandoned.notice_abandoned()
    notices.send_notices()
    approvals.send_approval_notices()
    duty.send_duty_notices()


@shared_task
def send_draft(draft_id: str) -> None:
    """Send a draft whose time for undoing has passed."""
    send_order.send_if_due(int(draft_id))


@shared_task
def send_due_drafts() -> None:
    """Send all drafts that are due, also those whose task was lost."""
    send_order.sweep()


@shared_task
def send_automatic_answers() -> None:
    """Send the automatic answers that are due."""
    automatic_answers.send_due()


@shared_task
def resume_automatic_answers() -> None:
    """Wake a worker for automatic answers whose task was lost."""
    automatic_answers.sweep()


@shared_task
def work_on_case_delivery(delivery_id: str) -> None:
    """Hand a conversation over to a case system, or remove the files of a delivery that has ended."""
    deliveries.work_on(delivery_id)


@shared_task
def fetch_sftp_receipts(case_system_id: str) -> None:
    """Fetch the receipts of one case system from its SFTP server."""
    polling.fetch_from_server(case_system_id)


@shared_task
def poll_case_systems() -> None:
    """Read the receipts of case systems, and resume due deliveries to them."""
    polling.poll()


@shared_task
def count_daily_figures() -> None:
    """Count the figures of mailboxes that have not been counted since the last night, and send the monthly
    figures that are due."""
    storage.recount_due()
    monthly_mail.send_due()
