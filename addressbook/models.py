"""Organisations and function addresses as the federation's address book has them, and runs of the copying."""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Left, Lower


class Organisation(models.Model):
    """A participant in the address book. `source` holds every attribute, known or not."""

    book_id = models.CharField(max_length=100, unique=True, help_text="id in the address book")
    participant_id = models.CharField(max_length=260, db_index=True)
    name = models.CharField(max_length=256)
    alternate_name = models.CharField(max_length=256, blank=True)
    description = models.CharField(max_length=1024, blank=True)
    kind = models.CharField(max_length=4, blank=True, help_text="O or UO")
    source = models.JSONField(default=dict)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [models.Index(Lower("name"), "id", name="organisation_by_name")]

    def __str__(self) -> str:
        return self.name


class FunctionAddress(models.Model):
    """A function that can be written to. `identifier` is opaque: nothing is read out of it."""

    book_id = models.CharField(max_length=100, unique=True)
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="functions")
    identifier = models.CharField(max_length=500)
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True)
    categories = models.JSONField(default=list)
    search_words = models.JSONField(default=list)
    source = models.JSONField(default=dict)
    gone_at = models.DateTimeField(null=True, blank=True)
    # What search looks at: kept in the same transaction as the row itself.
    words = SearchVectorField(null=True)
    spelling = models.TextField(blank=True, help_text="names without accents, for misspelled questions")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="function_words"),
            GinIndex(OpClass(models.F("spelling"), name="gin_trgm_ops"), name="function_spelling"),
            models.Index(
                OpClass(Left("spelling", 100), name="text_pattern_ops"), "id", name="function_beginning"
            ),
            models.Index(fields=["identifier"], name="function_identifier"),
            GinIndex(OpClass(models.F("categories"), name="jsonb_path_ops"), name="function_categories"),
        ]

    def __str__(self) -> str:
        return self.name


class SyncRun(models.Model):
    """A run of the copying: what it changed, or why it ended."""

    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=list, help_text="entries that could not be used, and why")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["-started_at"]


class OwnFunction(models.Model):
    """A function address of an organisation of this node, as its administrators keep it: the source of what
    is registered in the federation's address book, which has no way in but its own page."""

    participant_id = models.CharField(max_length=260)
    identifier = models.CharField(max_length=500)
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True)
    categories = models.JSONField(default=list, help_text="[{system, code, name}]; system is an OID")
    search_words = models.JSONField(default=list)
    closed_at = models.DateTimeField(null=True, blank=True)
    successor = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "identifier"], name="own_function_once")
        ]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    """A category that functions in the address book have, and how many: counted when the book is copied."""

    name = models.CharField(max_length=256, unique=True)
    function_count = models.PositiveIntegerField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = [Lower("name")]

    def __str__(self) -> str:
        return self.name


class PersonalFunction(models.Model):
    """A function that a person has marked as a favourite, or has written to."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    function = models.ForeignKey(FunctionAddress, models.CASCADE, related_name="+")
    is_favourite = models.BooleanField(default=False)
    used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "function"], name="personal_function_once")]
        indexes = [models.Index(fields=["person", "-used_at"], name="personal_function_latest")]
