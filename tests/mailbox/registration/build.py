"""Messages to register, and what they are registered as."""

from mailbox.models import FunctionMailbox, Registration
from mailbox.registration.entries import Entry

CASE = Entry(Registration.Kind.CASE, case_number="KS 2026/3117")
OTHER = Entry(Registration.Kind.CASE, case_number="KS 2026/3118")
MINOR = Entry(Registration.Kind.MINOR, reason="Reklam", retention_basis="Beslut 2024-12")
Mode = FunctionMailbox.RegistrationMode


def with_mode(mailbox: FunctionMailbox, mode: str, pattern: str = "") -> FunctionMailbox:
    mailbox.registration_mode, mailbox.case_number_pattern = mode, pattern
    mailbox.save()
    return mailbox
