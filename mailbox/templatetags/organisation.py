"""Whose pages these are."""

from typing import Final

from django import template
from django.db.models import Q, QuerySet

from mailbox import access
from mailbox.models import OrganisationRole, Person
from mailbox.prepared_query import PreparedQuery
from transport.message_service.api import Organisation

register = template.Library()


@register.simple_tag(takes_context=True)
def organisation_names(context: template.Context) -> str:
    """The organisations of whoever looks at the page, by their mailboxes and their roles. One query."""
    request = context.get("request")
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return ""
    return ", ".join(name for (name,) in _NAMES.rows(person))


def _names(person: Person) -> QuerySet[Organisation, str]:
    of_mailboxes = access.mailboxes_of(person).order_by().values("participant_id")
    of_roles = OrganisationRole.objects.filter(access.current_roles(), person=person).values("participant_id")
    own = Organisation.objects.filter(Q(participant_id__in=of_mailboxes) | Q(participant_id__in=of_roles))
    return own.order_by("name").values_list("name", flat=True)


_NAMES: Final = PreparedQuery(_names)
