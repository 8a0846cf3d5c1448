"""Rights that go beyond membership: who of a mailbox's members sees a protected conversation."""

from .protection import ProtectedOpening, ProtectedReader, ProtectionNotice

__all__ = ["ProtectedOpening", "ProtectedReader", "ProtectionNotice"]
