"""Whether a message is to be answered automatically: pure rules, by RFC 3834.

The mark is in `generatingSystem` of the header (B1.3.3 4.3.2), an identifier that no code system governs: our
automatic answers have RFC 3834's word `auto-replied` in it. What has this word, or `auto-generated`, whoever
sent it, is not answered; nor is what calls itself an automatic answer in its subject, as systems do that have
no mark.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from mailbox.models import AutomaticAnswerSetting
from mailbox.staffed_hours.calendar import ZONE, Calendar
from transport.message_service.api import Header, Identifier

MARK: Final = Identifier("sdkportal", "auto-replied")
_MARKS: Final = re.compile(r"(?<![a-z0-9])auto-(?:replied|generated|notified)(?![a-z0-9])", re.IGNORECASE)
# Only what a mark could be: nobody's text is searched at length.
_LONGEST_MARK: Final = 500
_SUBJECTS: Final = (
    "auto:",
    "autosvar",
    "auto-reply",
    "auto reply",
    "autoreply",
    "automatiskt svar",
    "automatisk svar",
    "automatic reply",
    "automatic answer",
    "out of office",
)
Mode = AutomaticAnswerSetting.Mode


@dataclass(frozen=True, slots=True)
class Period:
    """When a mailbox answers automatically. Between the two days it does so at all hours."""

    mode: str
    first_day: date | None = None
    last_day: date | None = None

    def covers(self, at: datetime, calendar: Calendar | None) -> bool:
        """Whether the mailbox answers automatically at the moment; without staffed hours in the days only."""
        if self.mode == Mode.OFF:
            return False
        first, last = self.first_day, self.last_day
        if first is not None and last is not None and first <= at.astimezone(ZONE).date() <= last:
            return True
        return self.mode == Mode.OUTSIDE_HOURS and calendar is not None and not calendar.is_staffed(at)


def period_of(setting: AutomaticAnswerSetting) -> Period:
    """The period of a mailbox's setting."""
    return Period(setting.mode, setting.first_day, setting.last_day)


def is_marked(header: Header) -> bool:
    """Whether the sender has marked the message as made by a machine."""
    system = header.generating_system
    return system is not None and any(
        _MARKS.search(value[:_LONGEST_MARK]) is not None for value in (system.root, system.extension)
    )


def is_automatic(header: Header) -> bool:
    """Whether the message is an automatic answer, by its mark or by what its subject begins with."""
    subject = (header.label or "").strip()[:_LONGEST_MARK].casefold()
    return is_marked(header) or subject.startswith(_SUBJECTS)
