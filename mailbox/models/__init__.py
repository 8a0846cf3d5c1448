"""The tables of people, mailboxes, conversations, drafts, the search index and the access log."""

from .access_log import AccessLogEntry, AccessLogHead
from .arrival_rule import ArrivalNotice, ArrivalRule, ArrivalRuleList, ArrivalTurn
from .automatic_answers import AutomaticAnswer, AutomaticAnswerGuard, AutomaticAnswerSetting
from .case_systems import CaseDelivery, CaseSystem, CaseSystemMailbox
from .conversation import (
    AUTOMATIC_ANSWER,
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
from .rights import (
    ApprovalNotice,
    ApprovalRequest,
    ApprovalRule,
    NamedMember,
    ProtectedOpening,
    ProtectionNotice,
)
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
    "AUTOMATIC_ANSWER",
    "FAILED",
    "NOT_DELIVERED",
    "AccessLogEntry",
    "AccessLogHead",
    "ApprovalNotice",
    "ApprovalRequest",
    "ApprovalRule",
    "ArrivalNotice",
    "ArrivalRule",
    "ArrivalRuleList",
    "ArrivalTurn",
    "Assignment",
    "Attachment",
    "AutomaticAnswer",
    "AutomaticAnswerGuard",
    "AutomaticAnswerSetting",
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
    "NamedMember",
    "Note",
    "NoteEntry",
    "NoticeChoice",
    "OrganisationIdentity",
    "OrganisationLock",
    "OrganisationRole",
    "Person",
    "Presence",
    "ProtectedOpening",
    "ProtectionNotice",
    "PushSubscription",
    "ReadMark",
    "Reassignment",
    "Redirection",
    "RegisteredMessage",
    "Registration",
    "RetentionHold",
    "RetentionProtocol",
    "RetentionRule",
    "SavedView",
    "SearchEntry",
    "ServiceLevels",
    "StaffedHours",
    "StaffedHoursException",
    "TimeLimit",
    "UnattendedAlarm",
    "UsedLogoutToken",
    "VocabularyWord",
    "WritingChoices",
]
