"""Mailboxes, conversations, messages, documents and attachments."""

from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper

from transport.message_service.api import OutgoingState as State
from transport.storage.blobs import BlobBinding
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField


class FunctionMailbox(models.Model):
    """The shared mailbox of a function address."""

    class RegistrationMode(models.TextChoices):
        OPTIONAL = ""
        TRACKED = "tracked"
        REQUIRED = "required"

    participant_id = models.CharField(max_length=260)
    address = models.CharField(max_length=500, help_text="the function address: opaque")
    name = models.CharField(max_length=256)
    is_open = models.BooleanField(default=True, help_text="a closed mailbox takes no new messages")
    unattended_after_hours = models.PositiveIntegerField(
        default=24, help_text="how long the oldest untaken message may wait before the managers are told"
    )
    is_catch_all = models.BooleanField(
        default=False,
        db_default=False,
        help_text="takes what is for a function address of the organisation's that nobody serves",
    )
    registration_mode = models.CharField(
        max_length=8,
        choices=RegistrationMode,
        blank=True,
        default=RegistrationMode.OPTIONAL,
        db_default=RegistrationMode.OPTIONAL,
        help_text="whether messages that are not registered are listed, or keep a conversation from done",
    )
    case_number_pattern = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="the form of its case numbers"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "address"], name="mailbox_once"),
            models.UniqueConstraint(
                fields=["participant_id"], condition=models.Q(is_catch_all=True), name="one_catch_all"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """Messages with one ConversationId in one mailbox. It has the values that lists show.

    `assignee` repeats the assignment that has not ended, for lists; `mailbox.conversations.assignment` alone
    writes it.
    """

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        TRASH = "trash"

    class RegistrationState(models.TextChoices):
        NONE = ""
        PENDING = "pending"
        REGISTERED = "registered"
        MINOR = "minor"

    mailbox = models.ForeignKey(FunctionMailbox, models.PROTECT, related_name="conversations")
    conversation_id = models.UUIDField()
    subject = EncryptedTextField(
        max_length=256,
        blank=True,
        organisation="mailbox.participant_id",
        bound_to=("conversation_id",),
    )
    counterpart = models.CharField(max_length=520, help_text="organisation and function of the other side")
    is_confidential = models.BooleanField(default=False)
    has_attachments = models.BooleanField(default=False)
    message_count = models.PositiveIntegerField(default=0)
    last_activity_at = models.DateTimeField()
    last_arrived_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=5, choices=State, default=State.OPEN, db_default=State.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_conversations",
        db_column="holder_id",
    )
    is_waiting = models.BooleanField(
        default=False, db_default=False, help_text="the last word is ours: for a receipt, or an answer"
    )
    has_sent = models.BooleanField(default=False, db_default=False)
    due_on = models.DateField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    is_priority = models.BooleanField(default=False, db_default=False)
    is_not_delivered = models.BooleanField(
        default=False,
        db_default=False,
        help_text="the latest sent message has failed, or a receipt for it is overdue",
    )
    registration_state = models.CharField(
        max_length=10,
        choices=RegistrationState,
        blank=True,
        default=RegistrationState.NONE,
        db_default=RegistrationState.NONE,
        help_text="of its messages together: pending while one of them is not registered",
    )
    limit_at = models.DateTimeField(
        null=True, blank=True, help_text="the nearest of its time limits that run (`TimeLimit`)"
    )
    limit_kind = models.CharField(max_length=8, blank=True, default="", db_default="")
    is_protected = models.BooleanField(
        default=False,
        db_default=False,
        help_text="only those of the mailbox's members see it who are named (`NamedMember`)",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "conversation_id"], name="conversation_once")
        ]
        indexes = [
            models.Index(fields=["mailbox", "-last_activity_at", "-id"], name="conversation_latest"),
            models.Index(
                fields=["mailbox", "state", "is_waiting", "-last_activity_at", "-id"],
                name="conversation_by_state",
            ),
            models.Index(
                fields=["mailbox", "state", "-last_activity_at", "-id"], name="conversation_in_state"
            ),
            # For counters, which read this index alone.
            models.Index(
                fields=["mailbox", "-last_arrived_at", "id"],
                include=["is_waiting", "assignee"],
                name="conversation_open",
                condition=models.Q(state="open"),
            ),
            models.Index(
                fields=["mailbox", "assignee", "-last_activity_at", "-id"],
                name="conversation_held",
                condition=models.Q(assignee__isnull=False),
            ),
            models.Index(
                fields=["mailbox", "-last_activity_at", "-id"],
                name="conversation_sent",
                condition=models.Q(has_sent=True),
            ),
            # For lists ordered by a date that few conversations have.
            models.Index(
                fields=["mailbox", "due_on", "-last_activity_at", "-id"],
                name="conversation_due",
                condition=models.Q(state="open", due_on__isnull=False),
            ),
            models.Index(
                fields=["mailbox", "remind_at", "-last_activity_at", "-id"],
                name="conversation_reminded",
                condition=models.Q(state="open", remind_at__isnull=False),
            ),
            models.Index(
                fields=["mailbox", "limit_at", "-last_activity_at", "-id"],
                name="conversation_limit",
                condition=models.Q(state="open", limit_at__isnull=False),
            ),
            models.Index(
                fields=["mailbox", "-last_activity_at", "-id"],
                name="conversation_priority",
                condition=models.Q(is_priority=True),
            ),
            models.Index(
                fields=["mailbox", "-last_activity_at", "-id"],
                name="conversation_not_delivered",
                condition=models.Q(is_not_delivered=True),
            ),
            models.Index(
                fields=["remind_at"], name="conversation_remind", condition=models.Q(remind_at__isnull=False)
            ),
            # For the list of what is not registered, and its counter, which reads this index alone.
            models.Index(
                fields=["mailbox", "last_activity_at", "id"],
                include=["state"],
                name="conversation_unregistered",
                condition=models.Q(registration_state="pending"),
            ),
            # For what is hidden from those who are not named, and the rows that they see instead.
            models.Index(
                fields=["mailbox", "-last_arrived_at", "id"],
                name="conversation_protected",
                condition=models.Q(is_protected=True),
            ),
        ]

    @property
    def lacks_registration(self) -> bool:
        """Whether its mailbox demands a registration, or a reason for none, that it does not have."""
        is_required = self.mailbox.registration_mode == FunctionMailbox.RegistrationMode.REQUIRED
        settled = (self.RegistrationState.REGISTERED, self.RegistrationState.MINOR)
        return is_required and self.registration_state not in settled

    def expect_registration(self) -> None:
        """Set the state, without saving it, after a message was added or the conversation was moved."""
        if self.registration_state or self.mailbox.registration_mode:
            self.registration_state = self.RegistrationState.PENDING


# Delivery states that are not left by waiting.
FAILED: Final = tuple(state.value for state in (State.ERROR, State.MESSAGE_EXCHANGE_ERROR, State.REJECTED))
# The condition of a message that has not been delivered, or perhaps not: a receipt for it is overdue.
NOT_DELIVERED: Final = models.Q(delivery_state__in=FAILED) | models.Q(is_receipt_missing=True)

_OF_MESSAGE: Final[Any] = {
    "organisation": "conversation.mailbox.participant_id",
    "bound_to": ("direction", "message_id"),
}


class Message(models.Model):
    """A message in a conversation: its own values, and for lists its delivery state."""

    class Direction(models.TextChoices):
        IN = "in"
        OUT = "out"

    conversation = models.ForeignKey(Conversation, models.PROTECT, related_name="messages")
    direction = models.CharField(max_length=3, choices=Direction)
    message_id = models.UUIDField(db_index=True)
    ref_to_message_id = models.UUIDField(null=True, blank=True)
    subject = EncryptedTextField(max_length=256, blank=True, **_OF_MESSAGE)
    is_confidential = models.BooleanField()
    counterpart_participant = models.CharField(max_length=260)
    counterpart_organisation = models.CharField(max_length=256)
    counterpart_address = models.TextField(blank=True, help_text="as long as the other side's is")
    counterpart_function = models.CharField(max_length=256, blank=True)
    sender_references = EncryptedJSONField(default=list, help_text="[{root, value, label}]", **_OF_MESSAGE)
    recipient_references = EncryptedJSONField(default=list, **_OF_MESSAGE)
    sender_persons = EncryptedJSONField(default=list, **_OF_MESSAGE)
    recipient_persons = EncryptedJSONField(default=list, **_OF_MESSAGE)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(help_text="arrived, or sent")
    delivery_state = models.CharField(max_length=24, blank=True)
    is_receipt_missing = models.BooleanField(default=False)
    for_address = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="the function address that it was for, where another function stood in for it",
    )
    is_automatic = models.BooleanField(
        default=False,
        db_default=False,
        help_text="an automatic answer: ours, or what its sender has marked as one",
    )
    draft_number = models.BigIntegerField(
        null=True, blank=True, help_text="the draft that it was: whoever has that page open is shown this"
    )
    mailing = models.ForeignKey(
        "mailbox.Mailing", models.SET_NULL, null=True, blank=True, related_name="messages"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "direction", "message_id"], name="message_once")
        ]
        indexes = [
            models.Index(fields=["conversation", "at", "id"], name="message_in_order"),
            # For filters of lists: part of a name, and failed deliveries.
            GinIndex(
                OpClass(Upper("counterpart_organisation"), name="gin_trgm_ops"), name="message_organisation"
            ),
            GinIndex(OpClass(Upper("counterpart_function"), name="gin_trgm_ops"), name="message_function"),
            models.Index(
                fields=["draft_number"],
                name="message_of_draft",
                condition=models.Q(draft_number__isnull=False),
            ),
        ]


# The condition of our own automatic answers, which are no work of anybody's.
AUTOMATIC_ANSWER: Final = models.Q(direction=Message.Direction.OUT, is_automatic=True)

_OF_DOCUMENT: Final[Any] = {
    "organisation": "message.conversation.mailbox.participant_id",
    "bound_to": ("message_id", "position"),
}


class Document(models.Model):
    """A document of a message: texts in Markdown; its files are attachments."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="documents")
    position = models.PositiveIntegerField()
    name = EncryptedTextField(max_length=500, blank=True, **_OF_DOCUMENT)
    texts = EncryptedJSONField(default=list, **_OF_DOCUMENT)

    class Meta:
        ordering = ["position"]


class Attachment(models.Model):
    """A file of a document. The content is a file in the default storage."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="attachments")
    name = EncryptedTextField(
        max_length=500,
        organisation="document.message.conversation.mailbox.participant_id",
        bound_to=("document_id", "file_key"),
    )
    content_type = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    file_name = models.CharField(max_length=300)
    file_key = models.UUIDField(null=True, db_index=True, help_text="what the file's name begins with")
    is_blocked = models.BooleanField(
        default=False, db_default=False, help_text="malicious code was found in it: it cannot be opened"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()
    stored_files: ClassVar = {"file_name": "binding"}

    class Meta:
        ordering = ["id"]

    @property
    def binding(self) -> BlobBinding:
        return BlobBinding(self.document.message.conversation.mailbox.participant_id, "file", self.file_key)


class ReadMark(models.Model):
    """The time until which a person has seen a conversation."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="read_marks")
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "conversation"], name="read_mark_once")]
        indexes = [
            models.Index(fields=["person", "conversation"], include=["seen_at"], name="read_mark_seen")
        ]
