"""Users and groups as a directory service has described them, and the mailboxes that groups give."""

import uuid
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models

from mailbox.models.membership import Membership
from transport.storage.encryption.fields import EncryptedJSONField

_SEALED: Final[Any] = {"organisation": "participant_id", "bound_to": ("key",)}


class _Resource(models.Model):
    """What users and groups have in common. `key` is the resource's `id`, `version` its ETag.

    Names and identifiers are sealed; they are looked up by keyed hashes.
    """

    participant_id = models.CharField(max_length=260)
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    attributes = EncryptedJSONField(default=dict, **_SEALED)
    external_id_hash = models.CharField(max_length=64, blank=True)
    display_name_hash = models.CharField(max_length=64, blank=True)
    version = models.PositiveIntegerField(default=1)
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True


class DirectoryUser(_Resource):
    """A user of an organisation's directory service, who is a person here."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="directory_users")
    user_name_hash = models.CharField(max_length=64)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "user_name_hash"], name="directory_user_name"),
            models.UniqueConstraint(fields=["participant_id", "person"], name="directory_user_person"),
        ]
        indexes = [
            models.Index(fields=["participant_id", "external_id_hash"], name="directory_user_external")
        ]


class DirectoryGroup(_Resource):
    """A group of an organisation's directory service."""

    users = models.ManyToManyField(DirectoryUser, through="DirectoryGroupMember", related_name="groups")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["participant_id", "external_id_hash"], name="directory_group_external"),
            models.Index(fields=["participant_id", "display_name_hash"], name="directory_group_name"),
        ]


class DirectoryGroupMember(models.Model):
    """A user is in a group."""

    group = models.ForeignKey(DirectoryGroup, models.CASCADE, related_name="members")
    user = models.ForeignKey(DirectoryUser, models.CASCADE, related_name="group_memberships")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "user"], name="directory_group_member_once")]


class DirectoryGroupMapping(models.Model):
    """The users of a group are members of a mailbox. Until a second administrator has confirmed it, it gives
    its maker nothing, as a membership rule."""

    group = models.ForeignKey(DirectoryGroup, models.CASCADE, related_name="mappings")
    mailbox = models.ForeignKey(
        "mailbox.FunctionMailbox", models.CASCADE, related_name="directory_group_mappings"
    )
    role = models.CharField(max_length=20, choices=Membership.Role, default=Membership.Role.MEMBER)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["group", "mailbox"], name="directory_group_mapping_once")
        ]
