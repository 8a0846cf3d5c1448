"""The tables of people, mailboxes, conversations, drafts, the search index and the access log."""

from .access_log import AccessLogEntry, AccessLogHead
from .arrival_rule import ArrivalNotice, ArrivalRule, ArrivalRuleList, ArrivalTurn
from .case_systems import CaseDelivery, CaseSystem, CaseSystemMailbox
from .conversation import (
    FAILED,
    NOT_DELIVERED,
    Attachment,
    Conversation,
    Document,
    FunctionMailbox,
    Message,
    ReadMark,
)
from .draft import Draft, DraftAttachment, DraftRecipient, DraftVersion
from .handling import Assignment, ConversationEvent, Presence, Reassignment
from .identity import OrganisationIdentity
from .membership import Membership, MembershipRule, OrganisationLock, OrganisationRole
from .notice import NoticeChoice, PushSubscription, UnattendedAlarm
from .person import LoginSession, Person, UsedLogoutToken
from .provisioning import (
    Directory,
    DirectoryFailure,
    DirectoryGroup,
    DirectoryGroupMapping,
    DirectoryGroupMember,
    DirectoryToken,
    DirectoryUser,
)
from .redirection import Redirection
from .registration import RegisteredMessage, Registration
from .retention import RetentionHold, RetentionProtocol, RetentionRule
from .rights import ProtectedOpening, ProtectedReader, ProtectionNotice
from .saml import PendingSamlLogin, RememberedAssignment, SamlMetadata, UsedAssertion
from .search import DraftEntry, NoteEntry, SearchEntry, VocabularyWord
from .staffed_hours import (
    DutyAlert,
    DutyList,
    DutyNotice,
    DutyPerson,
    ServiceLevels,
    StaffedHours,
    StaffedHoursException,
    TimeLimit,
)
from .working import Label, Labelling, Mention, Note, SavedView
from .writing import CannedText, DistributionList, ListedRecipient, Mailing, WritingChoices

__all__ = [
    "FAILED",
    "NOT_DELIVERED",
    "AccessLogEntry",
    "AccessLogHead",
    "ArrivalNotice",
    "ArrivalRule",
    "ArrivalRuleList",
    "ArrivalTurn",
    "Assignment",
    "Attachment",
    "CannedText",
    "CaseDelivery",
    "CaseSystem",
    "CaseSystemMailbox",
    "Conversation",
    "ConversationEvent",
    "Directory",
    "DirectoryFailure",
    "DirectoryGroup",
    "DirectoryGroupMapping",
    "DirectoryGroupMember",
    "DirectoryToken",
    "DirectoryUser",
    "DistributionList",
    "Document",
    "Draft",
    "DraftAttachment",
    "DraftEntry",
    "DraftRecipient",
    "DraftVersion",
    "DutyAlert",
    "DutyList",
    "DutyNotice",
    "DutyPerson",
    "FunctionMailbox",
    "Label",
    "Labelling",
    "ListedRecipient",
    "LoginSession",
    "Mailing",
    "Membership",
    "MembershipRule",
    "Mention",
    "Message",
    "Note",
    "NoteEntry",
    "NoticeChoice",
    "OrganisationIdentity",
    "OrganisationLock",
    "OrganisationRole",
    "PendingSamlLogin",
    "Person",
    "Presence",
    "ProtectedOpening",
    "ProtectedReader",
    "ProtectionNotice",
    "PushSubscription",
    "ReadMark",
    "Reassignment",
    "Redirection",
    "RegisteredMessage",
    "Registration",
    "RememberedAssignment",
    "RetentionHold",
    "RetentionProtocol",
    "RetentionRule",
    "SamlMetadata",
    "SavedView",
    "SearchEntry",
    "ServiceLevels",
    "StaffedHours",
    "StaffedHoursException",
    "TimeLimit",
    "UnattendedAlarm",
    "UsedAssertion",
    "UsedLogoutToken",
    "VocabularyWord",
    "WritingChoices",
]
