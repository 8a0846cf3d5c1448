"""Who may see what: membership of a function mailbox, administration of an organisation."""

from django.conf import settings
from django.db import models


class Membership(models.Model):
    """A person works in a function mailbox."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.CASCADE, related_name="memberships")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "mailbox"], name="member_once")]


class OrganisationRole(models.Model):
    """A person administers an organisation's mailboxes and members. It opens no message."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="organisation_roles")
    participant_id = models.CharField(max_length=260)
    role = models.CharField(max_length=20, choices=Role, default=Role.ADMINISTRATOR)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "participant_id", "role"], name="organisation_role_once"
            )
        ]
