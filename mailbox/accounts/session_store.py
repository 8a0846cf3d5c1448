"""The session engine (`SESSION_ENGINE`): sessions in Django's table, of no use to whoever copies that.

The table holds a hash of each session's key, and the session's data are encrypted at rest. The interface is
that of Django's own engines (`SessionBase`, `Session`).
"""

import hashlib
import logging
from collections.abc import Iterable
from typing import Any, Final

from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, SessionBase, UpdateError
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from transport.storage.encryption import texts
from transport.storage.encryption.errors import AtRestError

logger = logging.getLogger(__name__)
# Sessions belong to no organisation: a data key of the node encrypts them.
KEY_OWNER: Final = "node:sessions"
# The width of Django's column; 160 bits of a hash of a key with as many are enough.
_HASH_DIGITS: Final = 40
_KEY_LENGTH: Final = 32


def stored_key(session_key: str) -> str:
    """The hash of a session's key that the table holds."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:_HASH_DIGITS]


class SessionStore(SessionBase):
    """One browser's session."""

    _session_cache: dict[str, Any]

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        # The values as they were stored when they were read, to tell what this request has changed.
        self._as_read: dict[str, bytes] = {}

    @classmethod
    def load_many(cls, session_keys: Iterable[str]) -> "dict[str, SessionStore]":
        """The sessions with these keys that exist, by key, in one query."""
        by_stored = {stored_key(key): key for key in session_keys}
        rows = Session.objects.filter(session_key__in=by_stored, expire_date__gt=timezone.now())
        loaded = {}
        for row in rows:
            session = cls(by_stored[row.session_key])
            content = session._content_of(row)
            if content is not None:
                session._session_cache = content
                session._as_read = session._stored_values(content)
                loaded[by_stored[row.session_key]] = session
        return loaded

    def load(self) -> dict[str, Any]:
        """The session's data; empty where it does not exist, has expired, or cannot be decrypted."""
        stored = stored_key(self.session_key or "")
        row = Session.objects.filter(session_key=stored, expire_date__gt=timezone.now()).first()
        content = self._content_of(row) if row is not None else None
        if content is None:
            self._session_key = None
            return {}
        self._as_read = self._stored_values(content)
        return content

    def _content_of(self, row: Session) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = self.serializer().loads(_opened(row))
        except (AtRestError, ValueError) as error:
            logger.warning("session_not_decrypted", extra={"fields": {"error": type(error).__name__}})
            return None
        return content

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=stored_key(session_key)).exists()

    def create(self) -> None:
        while True:
            self._session_key = get_random_string(_KEY_LENGTH, VALID_KEY_CHARS)
            self._as_read = {}
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        """Store what this request has changed. Raises `CreateError` where a new session has a key that is
        taken, `UpdateError` where an old one has been deleted meanwhile.

        What other requests of the same browser have changed since this one read the session stays: a page
        that records when somebody was last active undoes no notice that another page has left.
        """
        if self.session_key is None:
            self.create()
            return
        content: dict[str, Any] = getattr(self, "_get_session")(no_load=must_create)  # noqa: B009
        stored = stored_key(self.session_key)
        try:
            with transaction.atomic():
                if not must_create:
                    content = self._changed_in(stored, content)
                    self._session_cache = content
                self._row_of(stored, content).save(force_insert=must_create, force_update=not must_create)
        except IntegrityError:
            if must_create:
                raise CreateError from None
            raise
        self._as_read = self._stored_values(content)

    def _changed_in(self, stored: str, content: dict[str, Any]) -> dict[str, Any]:
        """The session as it is stored now, locked, with what this request has changed in it."""
        row = Session.objects.select_for_update().filter(session_key=stored).first()
        current = self._content_of(row) if row is not None else None
        if current is None:
            raise UpdateError
        values = self._stored_values(content)
        for name in self._as_read.keys() - values.keys():
            current.pop(name, None)
        changed = {name for name, value in values.items() if self._as_read.get(name) != value}
        return current | {name: content[name] for name in changed}

    def _row_of(self, stored: str, content: dict[str, Any]) -> Session:
        plain = self.serializer().dumps(content).decode("latin-1")
        sealed = texts.seal_text(plain, KEY_OWNER, _place(stored))
        return Session(session_key=stored, session_data=sealed, expire_date=self.get_expiry_date())

    def _stored_values(self, content: dict[str, Any]) -> dict[str, bytes]:
        return {name: self.serializer().dumps(value) for name, value in content.items()}

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            delete_stored([stored_key(key)])

    @classmethod
    def clear_expired(cls) -> None:
        """Delete expired sessions, and unencrypted ones of earlier versions."""
        Session.objects.filter(expire_date__lt=timezone.now()).delete()
        Session.objects.exclude(session_data__startswith=texts.MARK).delete()


def delete_stored(stored_keys: list[str]) -> None:
    """End sessions by the hashes of their keys."""
    Session.objects.filter(session_key__in=stored_keys).delete()


def _opened(row: Session) -> bytes:
    if not texts.is_sealed(row.session_data):
        raise ValueError("in the clear")
    return texts.open_text(row.session_data, _place(row.session_key)).encode("latin-1")


def _place(stored: str) -> str:
    return f"sessions|{stored}"
