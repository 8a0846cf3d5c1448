"""Downloading a conversation as a record bundle."""

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
from mailbox.rendering import RenderingFailed
from mailbox.requests import PersonRequest
from transport.storage.work_files import workspace

from . import file_name_of, write_bundle

logger = logging.getLogger(__name__)


@login_required
@require_POST
def bundle(request: PersonRequest, conversation_id: int) -> HttpResponseBase:
    """Make the bundle, log who made it, and send it as a download."""
    rows = access.conversations_of(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    person = request.user
    now = timezone.now()
    with workspace("record") as directory:
        # Its name goes with the directory when this returns; the open file remains until it has been sent.
        target = (directory / "bundle.zip").open("w+b")
        try:
            write_bundle(conversation, target, made_by=person.name, made_at=now)
        except RenderingFailed as failed:
            target.close()
            logger.warning("record_bundle_page_failed", extra={"fields": {"reason": str(failed)}})
            messages.error(request, _("Arkivpaketet kunde inte göras. Försök igen om en stund."))
            return redirect("conversation", conversation_id=conversation.pk)
    target.seek(0)
    mailboxes.record_bundle_made(person, conversation)
    return guarded(FileResponse(target), "application/zip", saved_as=file_name_of(conversation, now))
