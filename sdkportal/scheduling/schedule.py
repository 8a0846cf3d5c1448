"""What beat starts, and how often: sweepers, clean-up, notifications, alarms and synchronisation.

Every task may be started too often, too late or twice: it asks the database what is due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final


class Interval(Enum):
    """The intervals that settings give, in seconds."""

    SWEEP = auto()
    NOTICES = auto()
    WATCH = auto()
    CLEAN_UP = auto()
    CERTIFICATES = auto()
    ADDRESS_BOOK = auto()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A task that is started every `times` intervals."""

    name: str
    task: str
    interval: Interval
    times: int


_ENTRIES: Final = (
    _Entry(
        "certificates: poll CertPub for requested certificates",
        "transport.message_service.tasks.poll_certpub",
        Interval.CERTIFICATES,
        1,
    ),
    _Entry(
        "certificates: send expiry warnings",
        "transport.certificate_watch.tasks.warn",
        Interval.CERTIFICATES,
        1,
    ),
    _Entry("access point: resume due jobs", "transport.access_point.tasks.sweep", Interval.SWEEP, 1),
    _Entry("message service: resume due jobs", "transport.message_service.tasks.sweep", Interval.SWEEP, 1),
    _Entry(
        "access point: remove orphaned files",
        "transport.access_point.tasks.remove_orphaned_files",
        Interval.CLEAN_UP,
        1,
    ),
    _Entry(
        "message service: remove orphaned files",
        "transport.message_service.tasks.remove_orphaned_files",
        Interval.CLEAN_UP,
        1,
    ),
    _Entry("message API: resume due web hooks", "transport.message_api.tasks.sweep", Interval.SWEEP, 1),
    _Entry(
        "message API: remove expired rows and orphaned files",
        "transport.message_api.tasks.remove_expired",
        Interval.CLEAN_UP,
        1,
    ),
    _Entry(
        "remote message services: poll, and resume due jobs",
        "transport.remote_message_service.tasks.sweep",
        Interval.SWEEP,
        1,
    ),
    _Entry(
        "message client: remove orphaned files", "mailbox.tasks.remove_orphaned_files", Interval.CLEAN_UP, 1
    ),
    _Entry("message client: end expired memberships", "mailbox.tasks.end_memberships", Interval.SWEEP, 12),
    _Entry("message client: send due drafts", "mailbox.tasks.send_due_drafts", Interval.SWEEP, 1),
    _Entry(
        "message client: resume automatic answers",
        "mailbox.tasks.resume_automatic_answers",
        Interval.SWEEP,
        1,
    ),
    _Entry("message client: send due reminders", "mailbox.tasks.send_due_reminders", Interval.SWEEP, 12),
    _Entry(
        "message client: compute time limits anew after changes of hours",
        "mailbox.tasks.recompute_time_limits",
        Interval.SWEEP,
        2,
    ),
    _Entry(
        "message client: fetch the metadata of SAML",
        "mailbox.tasks.refresh_saml_metadata",
        Interval.WATCH,
        12,
    ),
    _Entry("message client: poll case systems", "mailbox.tasks.poll_case_systems", Interval.SWEEP, 2),
    _Entry("message client: send notifications", "mailbox.tasks.send_notices", Interval.NOTICES, 1),
    _Entry(
        "message client: erase expired conversations", "mailbox.tasks.delete_expired", Interval.CLEAN_UP, 1
    ),
    _Entry(
        "message client: send alarms about unattended mailboxes",
        "mailbox.tasks.send_unattended_alarms",
        Interval.WATCH,
        1,
    ),
    _Entry(
        "message client: count the figures of days and send monthly figures",
        "mailbox.tasks.count_daily_figures",
        Interval.WATCH,
        1,
    ),
    _Entry(
        "message client: send alarms about malware and the scanner",
        "mailbox.tasks.send_malware_alarms",
        Interval.NOTICES,
        1,
    ),
    _Entry(
        "message client: send alarms about dead letters",
        "mailbox.tasks.send_dead_letter_alarms",
        Interval.NOTICES,
        1,
    ),
    _Entry(
        "message client: index recent messages that are missing",
        "mailbox.tasks.index_missing",
        Interval.SWEEP,
        6,
    ),
    _Entry(
        "message client: index all messages that are missing",
        "mailbox.tasks.index_all_missing",
        Interval.CLEAN_UP,
        1,
    ),
    _Entry("address book: synchronise", "addressbook.tasks.synchronise", Interval.ADDRESS_BOOK, 1),
    _Entry(
        "federation: read the status feed",
        "transport.federation.tasks.refresh_status_feed",
        Interval.WATCH,
        1,
    ),
)
_DIRECTORY_DROP_ENTRIES: Final = (
    _Entry(
        "directory drop: poll the directory",
        "transport.directory_drop.tasks.poll_directory",
        Interval.SWEEP,
        1,
    ),
    _Entry(
        "directory drop: remove orphaned files",
        "transport.directory_drop.tasks.remove_orphaned_files",
        Interval.CLEAN_UP,
        1,
    ),
)


def beat_schedule(seconds: Mapping[Interval, int], *, has_directory_drop: bool) -> dict[str, dict[str, Any]]:
    """CELERY_BEAT_SCHEDULE. A start that no worker has taken expires when the next one is due."""
    entries = (*_ENTRIES, *(_DIRECTORY_DROP_ENTRIES if has_directory_drop else ()))
    return {
        entry.name: {
            "task": entry.task,
            "schedule": seconds[entry.interval] * entry.times,
            "options": {"expires": seconds[entry.interval] * entry.times},
        }
        for entry in entries
    }
