"""The steps that a message which arrived goes through, and how long it may take to reach one."""

from datetime import timedelta
from typing import Final

STEPS: Final = ("assigned", "answered", "done")

# For what arrived: of which mailbox, when, from whom (nobody, if the conversation is protected), and when it
# was assigned (at once, where it was somebody's already), answered and done. `{scope}` says which messages.
ARRIVED: Final = """
  SELECT c.mailbox_id, m.at, CASE WHEN c.is_protected THEN '' ELSE m.counterpart_participant END, (
    SELECT min(greatest(a.began_at, m.at)) FROM mailbox_assignment a
    WHERE a.conversation_id = c.id AND (a.ended_at IS NULL OR a.ended_at > m.at)
  ) AS assigned_at, (
    SELECT min(o.at) FROM mailbox_message o
    WHERE o.conversation_id = c.id AND o.direction = 'out' AND NOT o.is_automatic AND o.at > m.at
  ) AS answered_at, (
    SELECT min(e.at) FROM mailbox_conversationevent e
    WHERE e.conversation_id = c.id AND e.what = 'done' AND e.undone_at IS NULL AND e.at > m.at
  ) AS done_at
  FROM mailbox_message m JOIN mailbox_conversation c ON c.id = m.conversation_id
  WHERE m.direction = 'in' AND {scope}
"""

# Sums cannot tell a median. They tell of how many it took at most so many staffed hours.
BOUNDS: Final = (1, 2, 4, 8, 16, 24, 40, 80, 160)
BEYOND: Final = 0


def bound_of(time: timedelta) -> int:
    """The smallest of `BOUNDS` that the time does not exceed; `BEYOND` where it exceeds all."""
    return next((hours for hours in BOUNDS if time <= timedelta(hours=hours)), BEYOND)
