"""People who are logged in, made in a node's database.

    python -m tests.faults.visitors COUNT [MAILBOX-ADDRESS]

prints as JSON their session keys, their mailbox and a conversation in it.
"""

import json
import os
import sys
import time
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.utils import timezone  # noqa: E402

from mailbox.accounts import sessions  # noqa: E402
from mailbox.accounts.session_store import SessionStore, stored_key  # noqa: E402
from mailbox.models import Conversation, FunctionMailbox, Membership, Person  # noqa: E402


def log_in(person: Person) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "mailbox.accounts.login.EidBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[sessions.BEGUN] = session[sessions.SEEN] = time.time()
    session.save()
    return str(session.session_key)


def make(count: int, address: str = "a") -> dict[str, object]:
    mailbox, _ = FunctionMailbox.objects.get_or_create(
        participant_id="0203:habo.se", address=address, defaults={"name": "A"}
    )
    talk = Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="B", last_activity_at=timezone.now()
    )
    keys, rows = [], []
    for number in range(count):
        person, _ = Person.add(f"19{number:010}", f"Person {number}")
        Membership.objects.create(person=person, mailbox=mailbox)
        keys.append(log_in(person))
        # The table holds a hash of each key.
        rows.append(stored_key(keys[-1]))
    return {"sessions": keys, "rows": rows, "mailbox": mailbox.pk, "conversation": talk.pk}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make(int(sys.argv[1]), *sys.argv[2:])))
