"""What approvers have been shown, and why they give a draft back."""

from django import forms
from django.utils.translation import gettext_lazy as lazy

from mailbox.conversations.forms import TextField
from mailbox.drafts.forms import LenientKeyField, ReviewForm

from .acts import LONGEST_REASON


class ApprovalForm(ReviewForm):
    """What an approver has been shown: the request that was looked at, besides what every sender is shown."""

    request = LenientKeyField()


class GiveBackForm(forms.Form):
    """Why a draft is given back."""

    request = LenientKeyField()
    reason = TextField(
        missing=lazy("Skriv vad som behöver ändras."),
        too_long=lazy("Texten är för lång: högst 1000 tecken."),
        longest=LONGEST_REASON,
    )
