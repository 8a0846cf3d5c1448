"""Forms for the addresses of login pages, and for what the e-ID provider sends."""

from typing import Final

from django import forms
from django.utils.http import url_has_allowed_host_and_scheme

from mailbox.forms import AddressForm

# A cookie holds some of them.
LONGEST_NEXT: Final = 400
_LONGEST_STATE: Final = 500
_LONGEST_TOKEN: Final = 20_000


class NextForm(AddressForm):
    """The page that follows a login."""

    next = forms.CharField(required=False, max_length=LONGEST_NEXT, initial="")

    def page(self) -> str:
        """The address of the page; empty where it is not one of ours."""
        found = str(self.understood()["next"])
        return found if url_has_allowed_host_and_scheme(found, None) and found.startswith("/") else ""


class CallbackForm(AddressForm):
    """The provider's answer (OpenID Connect Core 3.1.2.5, 3.1.2.6); the library reads its `code`."""

    state = forms.CharField(required=False, max_length=_LONGEST_STATE, initial="")
    error = forms.CharField(required=False, max_length=_LONGEST_STATE, initial="")


class LogoutTokenForm(AddressForm):
    """The provider's logout (Back-Channel Logout 1.0 2.5)."""

    logout_token = forms.CharField(required=False, max_length=_LONGEST_TOKEN, initial="")
