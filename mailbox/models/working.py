"""Internal notes with mentions, labels, and the views that people save."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Lower

from transport.storage.encryption.fields import EncryptedTextField

from .conversation import Conversation, FunctionMailbox

_OF_NOTE: Final[Any] = {"organisation": "conversation.mailbox.participant_id", "bound_to": ("key",)}


class Note(models.Model):
    """An internal note, which everybody who sees the conversation sees, and which is never sent."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="notes")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    text = EncryptedTextField(**_OF_NOTE)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["conversation", "at", "id"], name="note_in_order")]


class Mention(models.Model):
    """A note mentions a person, who has seen it at `seen_at`."""

    note = models.ForeignKey(Note, models.CASCADE, related_name="mentions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="when a notice of it was sent")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["note", "person"], name="mentioned_once")]
        indexes = [
            models.Index(fields=["person"], name="mention_unseen", condition=models.Q(seen_at__isnull=True))
        ]


class Label(models.Model):
    """A word by which a mailbox sorts its conversations. The colour says nothing that the name does not."""

    class Colour(models.TextChoices):
        GREY = "grey"
        BLUE = "blue"
        GREEN = "green"
        YELLOW = "yellow"
        RED = "red"
        PURPLE = "purple"

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)
    colour = models.CharField(max_length=6, choices=Colour, default=Colour.GREY)
    conversations = models.ManyToManyField(Conversation, through="Labelling", related_name="labels")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint("mailbox", Lower("name"), name="label_once")]

    def __str__(self) -> str:
        return self.name


class Labelling(models.Model):
    """A conversation has a label."""

    label = models.ForeignKey(Label, models.CASCADE)
    conversation = models.ForeignKey(Conversation, models.CASCADE)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["label", "conversation"], name="labelled_once")]


class SavedView(models.Model):
    """A list across mailboxes that a person has saved: the query string of its address."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=40)
    address = models.TextField(help_text="view, mailboxes, filters and order; never a reference")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint("person", Lower("name"), name="saved_view_once")]

    def __str__(self) -> str:
        return self.name
