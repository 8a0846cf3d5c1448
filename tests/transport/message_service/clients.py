"""A message client that a test steers: it keeps what it is given in the database, as a real one does."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from transport.message_service.client_port import Delivered, MessageKey


class SteeredClient:
    """Serves every function but `closed`; `failing` raises that often before it takes a message."""

    closed: set[str] = set()
    standing_in: list[str] = []
    failing = 0
    delivered: list[Delivered] = []
    notified: list[tuple[str, UUID, bool]] = []
    changed: list[tuple[str, UUID]] = []
    files: list[tuple[str, bytes]] = []

    @classmethod
    def reset(cls) -> None:
        cls.closed, cls.standing_in, cls.failing = set(), [], 0
        cls.delivered, cls.notified, cls.files, cls.changed = [], [], [], []

    def serves(self, participant: str, function_address: str) -> bool:
        return function_address not in self.closed

    def stand_ins(self, participant: str, function_address: str) -> list[str]:
        return self.standing_in

    def deliver(self, delivered: Sequence[Delivered]) -> None:
        assert connection.in_atomic_block
        if SteeredClient.failing:
            SteeredClient.failing -= 1
            raise RuntimeError("the client fails on Karin Svensson's letter")
        for item in delivered:
            self.delivered.append(item)
            for document in item.message.documents:
                for file in document.files:
                    with file.content.open() as content:
                        self.files.append((file.name, content.read()))

    def arrivals_changed(self, messages: Sequence[MessageKey]) -> None:
        self.changed.extend(messages)

    def deliveries_changed(self, messages: Sequence[MessageKey]) -> None:
        self.notified.extend((*message, connection.in_atomic_block) for message in messages)
