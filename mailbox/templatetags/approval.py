"""How far a draft's request for approval has come, for the pages of the draft."""

from django import template
from django.template.context import Context

from mailbox.drafts.approval_requests import shown
from mailbox.models import Draft

register = template.Library()


@register.simple_tag(takes_context=True)
def approval_status(context: Context, draft: Draft) -> shown.DraftApproval | None:
    """The draft's latest request, as the page's reader sees it."""
    return shown.approval_of_draft(draft, context["request"].user)
