"""The interface of connectors: what speaks to case systems of one kind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from uuid import UUID

from mailbox.models import CaseDelivery, CaseSystem


class CannotHandOver(Exception):
    """The case system could not be given the package; it is tried again. `cause` says why."""

    def __init__(self, cause: CaseDelivery.Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Package:
    """What is handed over: a record bundle, and what the case system is told of it.

    `delivery_id` is the same however often it is handed over. `size` is in bytes, `sha256` in hexadecimal.
    """

    delivery_id: UUID
    participant: str
    function_address: str
    conversation_id: UUID
    case_numbers: tuple[str, ...]
    is_confidential: bool
    ordered_at: datetime
    size: int
    sha256: str
    open: Callable[[], BinaryIO]


class Connector(Protocol):
    """One way to reach a case system. Both functions may be called again for the same delivery."""

    def hand_over(self, system: CaseSystem, package: Package) -> None:
        """Give the package to the case system. Raises `CannotHandOver`."""

    def remove(self, system: CaseSystem, delivery_id: UUID) -> None:
        """Remove what was given and is still there. Raises `CannotHandOver`."""
