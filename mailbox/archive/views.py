"""Downloading a conversation as a record bundle or as an E-ARK package."""

import logging

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.attachments.downloads import guarded
from mailbox.forms import first_errors
from mailbox.rendering import RenderingFailed
from mailbox.requests import PersonRequest
from transport.storage.work_files import workspace

from . import file_name_of, write_bundle, write_package
from .forms import ExportForm, ExportKind

logger = logging.getLogger(__name__)
_WRITERS = {ExportKind.BUNDLE: write_bundle, ExportKind.EARK: write_package}
# The first word of the file's name.
_FILE_KINDS = {ExportKind.BUNDLE: "arkivpaket", ExportKind.EARK: "e-ark"}


@login_required
@require_POST
def bundle(request: PersonRequest, conversation_id: int) -> HttpResponseBase:
    """Make the bundle or package, log who made it, and send it as a download."""
    rows = access.conversations_of(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    form = ExportForm(request.POST)
    if not form.is_valid():
        for error in first_errors(form).values():
            messages.error(request, error)
        return redirect("conversation", conversation_id=conversation.pk)
    kind = form.cleaned_data["kind"]
    person = request.user
    now = timezone.now()
    with workspace("record") as directory:
        # Its name goes with the directory when this returns; the open file remains until it has been sent.
        target = (directory / "bundle.zip").open("w+b")
        try:
            _WRITERS[kind](conversation, target, made_by=person.name, made_at=now)
        except RenderingFailed as failed:
            target.close()
            logger.warning("record_bundle_page_failed", extra={"fields": {"reason": str(failed)}})
            messages.error(request, _("Arkivpaketet kunde inte göras. Försök igen om en stund."))
            return redirect("conversation", conversation_id=conversation.pk)
    target.seek(0)
    if kind == ExportKind.EARK:
        mailboxes.eark_package_made(person, conversation)
    else:
        mailboxes.record_bundle_made(person, conversation)
    name = file_name_of(conversation, now, kind=_FILE_KINDS[kind])
    return guarded(FileResponse(target), "application/zip", saved_as=name)
