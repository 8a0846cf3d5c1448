"""The typed request of views."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from mailbox.models import Person


class PersonRequest(HttpRequest):
    """A request behind `login_required`. `htmx` is true where a fragment is asked for, not a page."""

    user: Person
    htmx: HtmxDetails
