"""What the address of a piece of evidence asks for."""

from django import forms

from mailbox.forms import AddressForm


class EvidenceForm(AddressForm):
    """`?show=1` shows the piece as plain text instead of saving it; `visa` is its name in old bookmarks."""

    show = forms.BooleanField(required=False, initial=False)
    visa = forms.BooleanField(required=False, initial=False)

    def is_shown(self) -> bool:
        """Whether the piece is shown as plain text."""
        asked = self.understood()
        return bool(asked["show"] or asked["visa"])
