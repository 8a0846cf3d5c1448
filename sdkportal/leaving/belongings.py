"""What belongs to an organisation: every model of the installation, and how its rows are found.

A new model has to be entered here: a test compares the list with the models that there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from django.apps import apps
from django.db.models import Model, Q, QuerySet

_OUTBOUND: Final = Q(kind__in=("SENT", "DELIVERED", "RESENDING", "FAILED"))


class Kind(StrEnum):
    """What happens to a model's rows."""

    EXPORTED = "exported"
    # Private keys: exported only when they are asked for, to a file of their own.
    KEYS = "keys"
    # Rows that several organisations name: exported as far as this one does, and never erased with it.
    SHARED = "shared"
    # People who are named by exported rows; erased where no other organisation has to do with them.
    PEOPLE = "people"
    # Made anew by the installation that imports.
    REBUILT = "rebuilt"
    # About what happens now, or for some minutes: worth nothing in another installation.
    PASSING = "passing"
    # The installation's, or a person's own in it.
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class Belonging:
    """How the rows of a model are found: `paths` lead to the organisation's participant identifier, each with
    a condition; a row is found by one of them. `exported` says which of the rows are exported."""

    kind: Kind
    paths: tuple[tuple[str, Q], ...] = ()
    exported: Q = field(default_factory=Q)

    def rows(self, model: type[Model], participant_id: str) -> Iterator[QuerySet[Any]]:
        """The organisation's rows, one query for each path."""
        for path, condition in self.paths:
            yield model._default_manager.filter(condition, **{path: participant_id})


def _by(*paths: str, kind: Kind = Kind.EXPORTED) -> Belonging:
    return Belonging(kind, tuple((path, Q()) for path in paths))


def _rebuilt(*paths: str) -> Belonging:
    return _by(*paths, kind=Kind.REBUILT)


def _passing(*paths: str) -> Belonging:
    return _by(*paths, kind=Kind.PASSING)


# Counted anew from the rows, but for what stands for conversations that were erased.
def _figures() -> Belonging:
    return Belonging(Kind.EXPORTED, (("mailbox__participant_id", Q()),), Q(is_erased=True))


_OF_SELF: Final = "participant_id"
_OF_ORGANISATION: Final = "organisation__participant_id"
_OF_MAILBOX: Final = "mailbox__participant_id"
_OF_CONVERSATION: Final = "conversation__mailbox__participant_id"
_OF_DRAFT: Final = "draft__mailbox__participant_id"
_INSTALLATION: Final = Belonging(Kind.INSTALLATION)

BELONGINGS: Final[dict[str, Belonging]] = {
    "message_service.Organisation": _by(_OF_SELF),
    "message_service.OrganisationKey": _by(_OF_ORGANISATION, kind=Kind.KEYS),
    "message_service.CertificateRequest": _by(_OF_ORGANISATION, kind=Kind.KEYS),
    "message_service.OutgoingMessage": _by(_OF_ORGANISATION),
    "message_service.IncomingMessage": _by(_OF_ORGANISATION),
    "message_service.Event": _by(
        "outgoing__organisation__participant_id", "incoming__organisation__participant_id"
    ),
    "message_service.QuarantinedFile": _by(_OF_ORGANISATION),
    "message_service.ScannerAlarm": _INSTALLATION,
    "message_api.ApiClient": _by(_OF_ORGANISATION),
    "message_api.FunctionRoute": _by(_OF_ORGANISATION),
    "message_api.HeldMessage": _by(_OF_ORGANISATION),
    "message_api.UsedAssertion": _passing("client__organisation__participant_id"),
    "message_api.WebhookNotice": _passing("client__organisation__participant_id"),
    "remote_message_service.RemoteService": _by(_OF_ORGANISATION),
    "remote_message_service.RemoteFunction": _by(_OF_ORGANISATION),
    "remote_message_service.RemoteArrival": _by("service__organisation__participant_id"),
    "remote_message_service.RemoteOrder": _by("service__organisation__participant_id"),
    "access_point.OutboundTransfer": _by("sender"),
    "access_point.InboundTransfer": _by("recipient"),
    "access_point.TransferEvent": Belonging(
        Kind.EXPORTED, (("sender", _OUTBOUND), ("recipient", ~_OUTBOUND))
    ),
    "access_point.LoggedCertificate": Belonging(Kind.SHARED),
    "directory_drop.DroppedTransfer": _by("sender"),
    "directory_drop.FoundTransfer": _by("recipient"),
    "addressbook.OwnFunction": _by(_OF_SELF),
    "addressbook.Organisation": _INSTALLATION,
    "addressbook.FunctionAddress": _INSTALLATION,
    "addressbook.SyncRun": _INSTALLATION,
    "addressbook.Category": _INSTALLATION,
    "addressbook.PersonalFunction": _INSTALLATION,
    "mailbox.AccessLogHead": _rebuilt(_OF_SELF),
    "mailbox.AccessLogEntry": _by(_OF_SELF),
    "mailbox.FunctionMailbox": _by(_OF_SELF),
    "mailbox.Conversation": _by(_OF_MAILBOX),
    "mailbox.Message": _by(_OF_CONVERSATION),
    "mailbox.Document": _by("message__conversation__mailbox__participant_id"),
    "mailbox.Attachment": _by("document__message__conversation__mailbox__participant_id"),
    "mailbox.ReadMark": _by(_OF_CONVERSATION),
    "mailbox.ArrivalRuleList": _by(_OF_MAILBOX),
    "mailbox.ArrivalRule": _by(_OF_MAILBOX),
    "mailbox.ArrivalTurn": _by("rule__mailbox__participant_id"),
    "mailbox.ArrivalNotice": _passing(_OF_MAILBOX),
    "mailbox.AutomaticAnswer": _by(_OF_CONVERSATION),
    "mailbox.AutomaticAnswerGuard": _by(_OF_SELF),
    "mailbox.AutomaticAnswerSetting": _by(_OF_MAILBOX),
    "mailbox.CaseSystem": _by(_OF_SELF),
    "mailbox.CaseSystemMailbox": _by("case_system__participant_id"),
    "mailbox.CaseDelivery": _by("case_system__participant_id"),
    "mailbox.Draft": _by(_OF_MAILBOX),
    "mailbox.DraftVersion": _by(_OF_DRAFT),
    "mailbox.DraftRecipient": _by(_OF_DRAFT),
    "mailbox.DraftAttachment": _by(_OF_DRAFT),
    "mailbox.Assignment": _by(_OF_CONVERSATION),
    "mailbox.ConversationEvent": _by(_OF_CONVERSATION),
    "mailbox.Reassignment": _by(_OF_CONVERSATION),
    "mailbox.Presence": _passing(_OF_CONVERSATION),
    "mailbox.Announcement": _INSTALLATION,
    "mailbox.OrganisationIdentity": _by(_OF_SELF),
    "mailbox.MembershipRule": _by(_OF_MAILBOX),
    "mailbox.Membership": _by(_OF_MAILBOX),
    "mailbox.OrganisationRole": _by(_OF_SELF),
    "mailbox.OrganisationLock": _by(_OF_SELF),
    "mailbox.NoticeChoice": _by(_OF_MAILBOX),
    "mailbox.PushSubscription": _INSTALLATION,
    "mailbox.UnattendedAlarm": _passing(_OF_MAILBOX),
    "mailbox.Person": Belonging(Kind.PEOPLE),
    "mailbox.LoginSession": _INSTALLATION,
    "mailbox.UsedLogoutToken": _INSTALLATION,
    "mailbox.Directory": _by(_OF_SELF),
    "mailbox.DirectoryToken": _by(_OF_SELF),
    "mailbox.DirectoryFailure": _passing(_OF_SELF),
    "mailbox.DirectoryUser": _by(_OF_SELF),
    "mailbox.DirectoryGroup": _by(_OF_SELF),
    "mailbox.DirectoryGroupMember": _by("group__participant_id"),
    "mailbox.DirectoryGroupMapping": _by("group__participant_id"),
    "mailbox.Redirection": _by(_OF_SELF),
    "mailbox.RetentionRule": _by(_OF_MAILBOX),
    "mailbox.RetentionHold": _by(_OF_CONVERSATION),
    "mailbox.RetentionProtocol": _by(_OF_SELF),
    "mailbox.Registration": _by(_OF_CONVERSATION),
    "mailbox.RegisteredMessage": _by("message__conversation__mailbox__participant_id"),
    "mailbox.ApprovalRule": _by(_OF_MAILBOX),
    "mailbox.ApprovalRequest": _by(_OF_DRAFT),
    "mailbox.ApprovalNotice": _passing(_OF_MAILBOX),
    "mailbox.NamedMember": _by(_OF_CONVERSATION),
    "mailbox.ProtectedOpening": _by(_OF_CONVERSATION),
    "mailbox.ProtectionNotice": _passing(_OF_CONVERSATION),
    "mailbox.SamlMetadata": _INSTALLATION,
    "mailbox.UsedAssertion": _INSTALLATION,
    "mailbox.PendingSamlLogin": _INSTALLATION,
    "mailbox.RememberedAssignment": _INSTALLATION,
    "mailbox.Note": _by(_OF_CONVERSATION),
    "mailbox.Mention": _by("note__conversation__mailbox__participant_id"),
    "mailbox.Label": _by(_OF_MAILBOX),
    "mailbox.Labelling": _by("label__mailbox__participant_id"),
    "mailbox.SavedView": _INSTALLATION,
    "mailbox.SearchEntry": _rebuilt("message__conversation__mailbox__participant_id"),
    "mailbox.NoteEntry": _rebuilt("note__conversation__mailbox__participant_id"),
    "mailbox.DraftEntry": _rebuilt(_OF_DRAFT),
    "mailbox.VocabularyWord": _rebuilt(_OF_SELF),
    "mailbox.DutyList": _by(_OF_MAILBOX),
    "mailbox.DutyPerson": _by("duty_list__mailbox__participant_id"),
    "mailbox.DutyAlert": _passing(_OF_CONVERSATION),
    "mailbox.DutyNotice": _passing(_OF_MAILBOX),
    "mailbox.StaffedHours": _by(_OF_SELF),
    "mailbox.StaffedHoursException": _by("staffed_hours__participant_id"),
    "mailbox.ServiceLevels": _by(_OF_MAILBOX),
    "mailbox.TimeLimit": _by(_OF_CONVERSATION),
    "mailbox.Department": _by(_OF_SELF),
    "mailbox.DepartmentMailbox": _by(_OF_MAILBOX),
    "mailbox.DepartmentLeader": _by("department__participant_id"),
    "mailbox.MonthlyFigures": _by(_OF_SELF),
    "mailbox.DailyFigures": _figures(),
    "mailbox.DailyWait": _figures(),
    "mailbox.DailyCounterpart": _figures(),
    "mailbox.CounterpartName": Belonging(Kind.SHARED),
    "mailbox.FiguresCount": _rebuilt(_OF_MAILBOX),
    "mailbox.PriceList": _by(_OF_SELF),
    "mailbox.WritingChoices": _by(_OF_MAILBOX),
    "mailbox.CannedText": _by(_OF_MAILBOX),
    "mailbox.DistributionList": _by(_OF_MAILBOX),
    "mailbox.ListedRecipient": _by("distribution_list__mailbox__participant_id"),
    "mailbox.Mailing": _by(_OF_MAILBOX),
    # Erased last, as it opens all the rest; another installation has keys of its own.
    "at_rest.DataKey": _INSTALLATION,
    "auth.Permission": _INSTALLATION,
    "auth.Group": _INSTALLATION,
    "contenttypes.ContentType": _INSTALLATION,
    "sessions.Session": _INSTALLATION,
    "certificate_watch.ExpiryWarning": _INSTALLATION,
    "federation.CachedAnswer": _INSTALLATION,
    "federation.StatusFeed": _INSTALLATION,
    "doctor.Examination": _INSTALLATION,
}

ORGANISATION: Final = "message_service.Organisation"
PERSON: Final = "mailbox.Person"
ACCESS_LOG: Final = "mailbox.AccessLogEntry"

# Which column of which exported model names the rows of a shared one.
SHARED: Final = {
    "access_point.LoggedCertificate": ("access_point.TransferEvent", "certificate"),
    "mailbox.CounterpartName": ("mailbox.DailyCounterpart", "counterpart"),
}

# Secrets of connections to other systems. They are exported with the keys, or left empty.
SECRETS: Final[dict[str, tuple[str, ...]]] = {
    "message_api.ApiClient": ("webhook_secret",),
    "mailbox.CaseSystem": ("webhook_secret", "sftp_private_key"),
    "remote_message_service.RemoteService": ("private_key",),
}

# What a person is to another installation. The rest is theirs in this one.
PERSON_FIELDS: Final = ("id", "subject_key", "name", "is_active", "mail_address", "created_at")


def labels(*kinds: Kind) -> list[str]:
    """The models of these kinds, in the order of the list."""
    return [label for label, belonging in BELONGINGS.items() if belonging.kind in kinds]


def model_of(label: str) -> type[Model]:
    """The model that a label of the list names."""
    return apps.get_model(label)


def rows_of(label: str, participant_id: str) -> Iterator[QuerySet[Any]]:
    """All rows of a model that belong to an organisation, one query for each path."""
    return BELONGINGS[label].rows(model_of(label), participant_id)


def exported_rows(label: str, participant_id: str) -> Iterator[QuerySet[Any]]:
    """The rows of a model that are exported of an organisation, in the order of their keys; the access log's
    by number."""
    order = "number" if label == ACCESS_LOG else "pk"
    for rows in rows_of(label, participant_id):
        yield rows.filter(BELONGINGS[label].exported).order_by(order)


def shared_rows(label: str, participant_id: str) -> QuerySet[Any]:
    """The rows of a shared model that exported rows of an organisation name."""
    naming, column = SHARED[label]
    named = Q()
    for rows in exported_rows(naming, participant_id):
        named |= Q(pk__in=rows.order_by().values(column))
    return model_of(label)._default_manager.filter(named).order_by("pk")
