"""The search index, in which words are keyed hashes that nobody can read."""

from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from .conversation import FunctionMailbox, Message
from .draft import Draft
from .working import Note


class _Entry(models.Model):
    """The mailbox, the time and the hashed words of a row that can be found."""

    mailbox = models.ForeignKey(FunctionMailbox, models.CASCADE, db_index=False, related_name="+")
    at = models.DateTimeField()
    words = ArrayField(models.BigIntegerField())

    class Meta:
        abstract = True


class SearchEntry(_Entry):
    """A message in the index. `mailbox` narrows the search; `mailbox.access` decides what a person sees."""

    message = models.OneToOneField(Message, models.CASCADE, primary_key=True, related_name="search_entry")
    is_outgoing = models.BooleanField()
    is_confidential = models.BooleanField()
    has_attachments = models.BooleanField()
    is_learned = models.BooleanField(default=False, help_text="its words are in the vocabulary")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            # Without a pending list, which every search would have to read.
            GinIndex(fields=["words"], name="search_words", fastupdate=False),
            models.Index(fields=["mailbox", "-at", "-message"], name="search_latest_of_mailbox"),
            models.Index(fields=["-at", "-message"], name="search_latest"),
            models.Index(fields=["message"], name="search_not_learned", condition=models.Q(is_learned=False)),
        ]


class NoteEntry(_Entry):
    """An internal note in the index."""

    note = models.OneToOneField(Note, models.CASCADE, primary_key=True, related_name="search_entry")
    is_learned = models.BooleanField(default=False, help_text="its words are in the vocabulary")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="search_note_words", fastupdate=False),
            models.Index(fields=["mailbox", "-at", "-note"], name="search_latest_note"),
            models.Index(fields=["-at", "-note"], name="search_latest_notes"),
            models.Index(
                fields=["note"], name="search_note_not_learned", condition=models.Q(is_learned=False)
            ),
        ]


class DraftEntry(_Entry):
    """A draft in the index, as it was at `at`; drafts are indexed some time after they change."""

    draft = models.OneToOneField(Draft, models.CASCADE, primary_key=True, related_name="search_entry")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="search_draft_words", fastupdate=False),
            models.Index(fields=["mailbox", "-at", "-draft"], name="search_latest_draft"),
            models.Index(fields=["-at", "-draft"], name="search_latest_drafts"),
        ]


class VocabularyWord(models.Model):
    """A word of an organisation's messages or notes: hashes of its stem, beginnings, endings and trigrams."""

    word = models.BigIntegerField(primary_key=True)
    root = models.BigIntegerField()
    participant_id = models.CharField(max_length=260)
    parts = ArrayField(models.BigIntegerField())
    trigrams = ArrayField(models.BigIntegerField())

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            GinIndex(fields=["parts"], name="vocabulary_parts"),
            GinIndex(fields=["trigrams"], name="vocabulary_trigrams"),
        ]
