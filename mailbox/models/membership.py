"""Memberships of mailboxes, roles in organisations, membership rules, and locks."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class MembershipRule(models.Model):
    """People with this value of a claim at the e-ID provider, such as a group, are members."""

    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.CASCADE, related_name="membership_rules")
    claim = models.CharField(max_length=200)
    value = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        "mailbox.Person",
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="who alone wants it so: it gives them nothing until somebody else says the same",
    )

    is_suspended = models.BooleanField(
        default=False,
        db_default=False,
        help_text="nobody knows who made it: it gives nothing until an administrator has confirmed it",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        ordering = ["claim", "value"]
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "claim", "value"], name="membership_rule_once")
        ]


class Membership(models.Model):
    """A person is a member of a mailbox, until `ends_at` if it is set. An observer sees its counts and
    nothing else; a reader changes nothing in it; a writer sends nothing alone; a manager adds and removes
    others."""

    class Role(models.TextChoices):
        OBSERVER = "observer"
        READER = "reader"
        WRITER = "writer"
        MEMBER = "member"
        MANAGER = "manager"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    added_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True, db_index=True)
    rule = models.ForeignKey(
        MembershipRule,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="memberships",
        help_text="what gave it; nothing where a person did",
    )
    directory_mapping = models.ForeignKey(
        "mailbox.DirectoryGroupMapping",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="memberships",
        help_text="the group of a directory service that gave it, through its mapping",
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "mailbox"], name="member_once")]


class OrganisationRole(models.Model):
    """A role of a person in an organisation, which gives access to no message."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator"
        AUDITOR = "auditor"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="organisation_roles")
    participant_id = models.CharField(max_length=260)
    role = models.CharField(max_length=20, choices=Role, default=Role.ADMINISTRATOR)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "participant_id", "role"], name="organisation_role_once"
            )
        ]


class OrganisationLock(models.Model):
    """A person is locked out of one organisation, and of no other."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="locks")
    participant_id = models.CharField(max_length=260)
    locked_at = models.DateTimeField(auto_now_add=True)
    is_by_directory = models.BooleanField(
        default=False, db_default=False, help_text="a directory service locked them out, and may let them in"
    )

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "participant_id"], name="organisation_lock_once")
        ]
