"""When a mailbox answers automatically, and with which text."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from mailbox.models.conversation import FunctionMailbox
from transport.storage.encryption.fields import EncryptedTextField


class AutomaticAnswerSetting(models.Model):
    """A mailbox's automatic answer. In the days from `first_day` to `last_day`, which are both or neither
    set, it answers at all hours."""

    class Mode(models.TextChoices):
        OFF = ""
        OUTSIDE_HOURS = "hours"
        DAYS = "days"

    mailbox = models.OneToOneField(FunctionMailbox, models.CASCADE, related_name="automatic_answer_setting")
    key = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    mode = models.CharField(max_length=5, choices=Mode, blank=True, default=Mode.OFF)
    text = EncryptedTextField(blank=True, organisation="mailbox.participant_id", bound_to=("key",))
    first_day = models.DateField(null=True, blank=True)
    last_day = models.DateField(null=True, blank=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Self]] = models.Manager()
