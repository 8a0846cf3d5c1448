"""People and memberships; mailboxes and conversations; drafts; what searching and auditing look at."""

from .access_log import AccessLogEntry, AccessLogHead
from .conversation import Attachment, Conversation, Document, FunctionMailbox, Message, ReadMark
from .draft import Draft, DraftAttachment
from .handling import Assignment, ConversationEvent, HandOver, Presence
from .login_session import LoginSession
from .membership import Membership, MembershipRule, OrganisationLock, OrganisationRole
from .notice import NoticeChoice, PushSubscription, UnattendedAlarm
from .person import Person
from .retention import RetentionHold, RetentionProtocol, RetentionRule
from .search import SearchEntry, VocabularyWord
from .working import Label, Labelling, Mention, Note

__all__ = [
    "AccessLogEntry",
    "AccessLogHead",
    "Assignment",
    "Attachment",
    "Conversation",
    "ConversationEvent",
    "Document",
    "Draft",
    "DraftAttachment",
    "FunctionMailbox",
    "HandOver",
    "Label",
    "Labelling",
    "LoginSession",
    "Membership",
    "MembershipRule",
    "Mention",
    "Message",
    "Note",
    "NoticeChoice",
    "OrganisationLock",
    "OrganisationRole",
    "Person",
    "Presence",
    "PushSubscription",
    "ReadMark",
    "RetentionHold",
    "RetentionProtocol",
    "RetentionRule",
    "SearchEntry",
    "UnattendedAlarm",
    "VocabularyWord",
]
