"""Rights that go beyond membership: who of a mailbox's members sees a protected conversation."""

from .protection import NamedMember, ProtectedOpening, ProtectionNotice

__all__ = ["NamedMember", "ProtectedOpening", "ProtectionNotice"]
