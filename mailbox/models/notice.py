"""Notifications: what each person has chosen, and until when they have been notified."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models


class NoticeChoice(models.Model):
    """A person is notified of new messages in a mailbox, by mail or browser push."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_choices")
    mailbox = models.ForeignKey("mailbox.FunctionMailbox", models.CASCADE, related_name="+")
    by_mail = models.BooleanField(default=False)
    by_push = models.BooleanField(default=False)
    told_until = models.DateTimeField(help_text="what had arrived by then is not told of again")

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "mailbox"], name="notice_choice_once")]


class PushSubscription(models.Model):
    """A browser that receives pushes for a person. They are empty: the browser asks what is new."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="push_subscriptions")
    endpoint = models.CharField(max_length=1000, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()


class UnattendedAlarm(models.Model):
    """A mailbox that is unattended."""

    class Reason(models.TextChoices):
        NO_MEMBER = "no-member"
        UNTAKEN = "untaken"

    mailbox = models.OneToOneField("mailbox.FunctionMailbox", models.CASCADE, related_name="unattended_alarm")
    reason = models.CharField(max_length=20, choices=Reason)
    since = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True, help_text="when the managers were last told")

    objects: ClassVar[models.Manager[Self]] = models.Manager()
