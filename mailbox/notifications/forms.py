"""Forms for notifications: the mail address, and the mailboxes for mail and push."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.forms import KeysField, renamed


class NoticesForm(forms.Form):
    """The mail address, and the mailboxes that are notified by mail and by browser push."""

    address = forms.EmailField(
        required=False,
        max_length=254,
        error_messages=dict.fromkeys(
            ("invalid", "max_length"), lazy("Skriv en e-postadress, till exempel namn@kommun.se.")
        ),
    )
    by_mail = KeysField(required=False)
    by_push = KeysField(required=False)

    @classmethod
    def of_request(cls, given: QueryDict) -> "NoticesForm":
        """The form that a page has sent; pages of earlier versions say `mejl` and `webb`."""
        return cls(renamed(given, {"mejl": "by_mail", "webb": "by_push"}))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("by_mail") and not given.get("address") and "address" not in self.errors:
            self.add_error("address", _("Skriv en e-postadress, eller välj bort mejl."))
        return given


class SubscriptionForm(forms.Form):
    """The address at which a browser takes pushes (Push API)."""

    endpoint = forms.CharField(max_length=1_000)
