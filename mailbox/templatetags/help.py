"""The field's terms explained where they are used: a small disclosure, the same words everywhere."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

register = template.Library()
TERMS: dict[str, tuple[str | Promise, str | Promise]] = {
    "function-address": (
        lazy("Vad är en funktionsadress?"),
        lazy(
            "En funktionsadress går till en verksamhet, inte till en person: till exempel en mottagning "
            "eller en "
            "registrator. De som arbetar där delar brevlåda och ser samma meddelanden."
        ),
    ),
    "transport-receipt": (
        lazy("Vad är en transportkvittens?"),
        lazy(
            "Transportkvittensen bevisar att meddelandet är framme hos mottagarens organisation. Den säger "
            "inte "
            "att någon i verksamheten har fått det."
        ),
    ),
    "message-receipt": (
        lazy("Vad är en meddelandekvittens?"),
        lazy(
            "Meddelandekvittensen bevisar att mottagarens system har öppnat meddelandet och lämnat det "
            "till rätt "
            "verksamhet, eller säger varför det avvisades. Den säger inte att någon har läst det."
        ),
    ),
}


@register.inclusion_tag("help/term.html")
def term(name: str) -> dict[str, str | Promise]:
    """The explanation of a term, closed until somebody asks."""
    question, answer = TERMS[name]
    return {"question": question, "answer": answer}
