"""The pages of mailings: messages to several recipients at once."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from mailbox import access
from mailbox.drafts import mailings as drafts_mailings
from mailbox.drafts.forms import PageForm
from mailbox.forms import renamed
from mailbox.requests import PersonRequest


@login_required
@require_safe
def mailings(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """The mailbox's mailings, the latest first, a page at a time."""
    mailbox = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    # It was called `fore` in addresses of earlier releases.
    asked = PageForm(renamed(request.GET, {"fore": "before"})).understood()
    found, before = drafts_mailings.page_of(mailbox, request.user, asked["before"])
    context = {"mailbox": mailbox, "mailings": found, "before": before}
    return render(request, "drafts/mailings.html", context)


@login_required
@require_safe
def mailing(request: PersonRequest, mailing_id: int) -> HttpResponse:
    """A mailing: which recipients have received and answered it."""
    rows = access.mailings_of(request.user)
    row = get_object_or_404(rows.select_related("mailbox", "written_by"), pk=mailing_id)
    deliveries = drafts_mailings.deliveries_of(row, request.user)
    if not deliveries:
        raise Http404
    context = {
        "mailbox": row.mailbox,
        "mailing": row,
        "subject": deliveries[0].message.subject,
        "deliveries": deliveries,
        "received": sum(delivery.is_received for delivery in deliveries),
        "answered": sum(delivery.is_answered for delivery in deliveries),
        "failed": sum(delivery.has_failed for delivery in deliveries),
        "draft": access.drafts_of(request.user).filter(mailing=row).first(),
    }
    return render(request, "drafts/_mailing.html" if request.htmx else "drafts/mailing.html", context)
