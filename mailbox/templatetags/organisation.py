"""Whose pages these are."""

from django import template
from django.db.models import Q

from mailbox import access
from mailbox.models import OrganisationRole, Person
from transport.message_service.api import Organisation

register = template.Library()


@register.simple_tag(takes_context=True)
def organisation_names(context: template.Context) -> str:
    """The organisations of whoever looks at the page, by their mailboxes and their roles. One query."""
    request = context.get("request")
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return ""
    of_mailboxes = access.mailboxes_of(person).order_by().values("participant_id")
    of_roles = OrganisationRole.objects.filter(access.current_roles(), person=person).values("participant_id")
    own = Organisation.objects.filter(Q(participant_id__in=of_mailboxes) | Q(participant_id__in=of_roles))
    return ", ".join(own.order_by("name").values_list("name", flat=True))
