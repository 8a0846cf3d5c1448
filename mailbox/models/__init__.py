"""People and memberships; mailboxes and conversations; drafts."""

from .conversation import Attachment, Conversation, Document, FunctionMailbox, Message, ReadMark
from .draft import Draft, DraftAttachment
from .login_session import LoginSession
from .membership import AdministrativeEvent, Membership, OrganisationRole
from .person import Person

__all__ = [
    "AdministrativeEvent",
    "Attachment",
    "Conversation",
    "Document",
    "Draft",
    "DraftAttachment",
    "FunctionMailbox",
    "LoginSession",
    "Membership",
    "Message",
    "OrganisationRole",
    "Person",
    "ReadMark",
]
