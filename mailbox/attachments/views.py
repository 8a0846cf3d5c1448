"""Downloads and previews of attachments, texts as files, and evidence.

Nothing of it is ever active content of this application: a preview is a sandboxed response that may load
nothing and that browsers must not interpret as another type.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from mailbox import access, access_log
from mailbox.models import Attachment, Message
from mailbox.requests import PersonRequest
from mailbox.streaming import streamed_bytes
from mailbox.texts import message_text
from transport.message_service.api import Evidence, evidence_of
from transport.message_service.api import EvidenceKind as Kind
from transport.storage import blobs

from . import previews, zip_archive
from .downloads import guarded
from .file_names import safe_name
from .forms import EvidenceForm

# For previews: shown in frames of our pages alone, without scripts and without an origin.
_SHOWN: Final = "default-src 'none'; sandbox; frame-ancestors 'self'"
_SHOWN_PAGE: Final = f"{_SHOWN}; style-src 'self'; img-src 'self' data:"
_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_CHUNK: Final = 64 * 1024
_NAMES: Final = {
    Kind.ENVELOPE: "kuvert",
    Kind.TRANSPORT_RECEIPT: "transportkvittens",
    Kind.MESSAGE_RECEIPT: "meddelandekvittens",
}


@login_required
@require_safe
def attachment(request: PersonRequest, attachment_id: int) -> FileResponse:
    """An attachment as a download: never shown as part of this application."""
    row = _attachment(request, attachment_id)
    access_log.record_attachment_opened(request.user, row)
    response = FileResponse(blobs.open_stored(row.file_name, row.binding))
    return guarded(response, row.content_type, saved_as=row.name)


@login_required
@require_safe
@xframe_options_sameorigin
def show(request: PersonRequest, attachment_id: int) -> HttpResponse:
    """A preview of an attachment: an image or a text as it is, a PDF as pictures of its pages."""
    row = _attachment(request, attachment_id)
    kind = previews.kind_of(row.content_type, row.size)
    if kind is None:
        raise Http404
    access_log.record_attachment_opened(request.user, row)
    with blobs.open_stored(row.file_name, row.binding) as source:
        if kind is previews.Kind.IMAGE:
            content_type = previews.essence_of(row.content_type)
            return guarded(HttpResponse(source.read()), content_type, policy=_SHOWN)
        context: dict[str, object] = {"attachment": row}
        if kind is previews.Kind.TEXT:
            context["text"], context["is_cut"] = previews.beginning_of(source, row.content_type)
        else:
            try:
                context["pictures"] = previews.pictures_of(source)
            except previews.PreviewFailed:
                context["is_not_drawn"] = True
    page = render(request, "attachments/attachment_shown.html", context)
    return guarded(page, _HTML, policy=_SHOWN_PAGE)


@login_required
@require_safe
def all_attachments(request: PersonRequest, message_id: int) -> HttpResponseBase:
    """All attachments of a message as a ZIP, made while it is sent."""
    message = get_object_or_404(access.messages_of(request.user), pk=message_id)
    rows = list(
        access.attachments_of(request.user)
        .filter(document__message=message)
        .select_related("document__message__conversation__mailbox")
        .order_by("document__position", "pk")
    )
    if not rows:
        raise Http404
    for row in rows:
        access_log.record_attachment_opened(request.user, row)
    response = streamed_bytes(request, zip_archive.archive(_entries(rows)), "application/zip", "attachment")
    return guarded(response, "application/zip", saved_as=f"bilagor-{message.message_id}.zip")


@login_required
@require_safe
def text(request: PersonRequest, message_id: int) -> HttpResponseBase:
    """The whole text of a message, as it was written: a page shows the beginning of a long one."""
    message = _message(request, message_id)
    access_log.record_text_downloaded(request.user, message)
    pieces = (piece.encode() for piece in message_text.whole_text(message))
    response = streamed_bytes(request, pieces, _TEXT, "attachment")
    return guarded(response, _TEXT, saved_as=f"meddelandetext-{message.message_id}.txt")


@login_required
@require_safe
def evidence(request: PersonRequest, message_id: int) -> HttpResponse:
    """The page of a message's evidence: the envelope and both receipts, as far as they exist."""
    message = _message(request, message_id)
    found = _evidence_of(message)
    context = {
        "message": message,
        "conversation": message.conversation,
        "mailbox": message.conversation.mailbox,
        "is_sent": message.direction == Message.Direction.OUT,
        "pieces": [(kind.value, kind in found) for kind in Kind],
    }
    return render(request, "delivery/evidence.html", context)


@login_required
@require_safe
def evidence_piece(request: PersonRequest, message_id: int, kind: str) -> HttpResponseBase:
    """One piece of evidence as it was transferred: to save, or with `?show=1` as plain text."""
    message = _message(request, message_id)
    piece = _evidence_of(message).get(Kind(kind)) if kind in set(Kind) else None
    if piece is None:
        # The page tells which exist.
        return redirect("evidence", message_id=message.pk)
    access_log.record_evidence_opened(request.user, message, kind)
    is_shown = EvidenceForm(request.GET).is_shown()
    content_type = _TEXT if is_shown else "application/xml"
    response = streamed_bytes(request, _read(piece), content_type, "inline")
    name = f"{_NAMES[piece.kind]}-{message.message_id}.xml"
    return guarded(response, content_type, saved_as=None if is_shown else name)


def _attachment(request: PersonRequest, attachment_id: int) -> Attachment:
    rows = access.attachments_of(request.user).select_related("document__message__conversation__mailbox")
    return get_object_or_404(rows, pk=attachment_id)


def _message(request: PersonRequest, message_id: int) -> Message:
    rows = access.messages_of(request.user).select_related("conversation__mailbox")
    return get_object_or_404(rows, pk=message_id)


def _evidence_of(message: Message) -> dict[Kind, Evidence]:
    participant = message.conversation.mailbox.participant_id
    was_sent = message.direction == Message.Direction.OUT
    return evidence_of(participant, message.message_id, was_sent=was_sent)


def _read(piece: Evidence) -> Iterator[bytes]:
    with piece.open() as source:
        while chunk := source.read(_CHUNK):
            yield chunk


def _entries(rows: list[Attachment]) -> Iterator[zip_archive.Entry]:
    for row in rows:
        yield zip_archive.Entry(safe_name(row.name), partial(blobs.open_stored, row.file_name, row.binding))
