"""A distribution list: its recipients, added and removed; renamed, or removed."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from addressbook.models import FunctionAddress
from addressbook.search import MINIMUM_LENGTH, search
from mailbox import access
from mailbox.drafts import distribution_lists
from mailbox.drafts.forms import ListMemberForm, NameForm, key_in
from mailbox.forms import first_errors
from mailbox.models import DistributionList
from mailbox.requests import PersonRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def distribution_list(request: PersonRequest, list_id: int) -> HttpResponse:
    """A list's page; POST does what the pressed button says."""
    lists = access.distribution_lists_of(request.user)
    row = get_object_or_404(lists.select_related("mailbox"), pk=list_id)
    errors: dict[str, str] = {}
    question = ""
    if request.method == "POST":
        action, _separator, argument = request.POST.get("action", "").partition(":")
        if action == "remove-list":
            mailbox = row.mailbox
            row.delete()
            messages.success(request, _("Sändlistan är borttagen."))
            return redirect("writing", mailbox.pk)
        member = ListMemberForm(request.POST)
        member.full_clean()
        question = member.cleaned_data["q"] if action == "search" else ""
        errors = _change(request, row, action, key_in(argument), member)
        if not errors and not question:
            return redirect("distribution-list", row.pk)
    _found, gone = distribution_lists.recipients_on(row)
    context = {
        "mailbox": row.mailbox,
        "list": row,
        "recipients": row.recipients.all(),
        "gone": {recipient.pk for recipient in gone},
        "question": question,
        "hits": search(question) if question else [],
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": True,
        "errors": errors,
    }
    return render(request, "drafts/distribution_list.html", context, status=422 if errors else 200)


def _change(
    request: PersonRequest, row: DistributionList, action: str, key: int | None, member: ListMemberForm
) -> dict[str, str]:
    """Do what the button says; what is wrong with what was written, by field."""
    person = request.user
    if action == "remove":
        row.recipients.filter(pk=key or 0).delete()
    if action == "rename":
        form = NameForm(request.POST)
        if not form.is_valid():
            return dict(first_errors(form))
        try:
            distribution_lists.rename(row, form.cleaned_data["name"], person)
        except distribution_lists.NameTaken:
            return {"name": _("Det finns redan en sändlista som heter så.")}
        messages.success(request, _("Sändlistan har bytt namn."))
    if action == "add":
        functions = FunctionAddress.objects.select_related("organisation").filter(gone_at=None)
        function = functions.filter(pk=member.cleaned_data["recipient"] or 0).first()
        if function is None:
            return {"recipient": _("Välj en mottagare bland träffarna.")}
        distribution_lists.add(row, function, person)
    return {}
