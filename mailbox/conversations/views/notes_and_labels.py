"""What members do on a conversation for each other: notes, labels; and who is there."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.conversations import history, reassignment
from mailbox.conversations import labels as mailbox_labels
from mailbox.conversations import notes as conversation_notes
from mailbox.conversations import presence as at_work
from mailbox.models import Conversation, Label, Labelling, Person
from mailbox.requests import PersonRequest
from transport.names import is_name

COLOURS: dict[str, str | Promise] = {
    Label.Colour.GREY: lazy("Grå"),
    Label.Colour.BLUE: lazy("Blå"),
    Label.Colour.GREEN: lazy("Grön"),
    Label.Colour.YELLOW: lazy("Gul"),
    Label.Colour.RED: lazy("Röd"),
    Label.Colour.PURPLE: lazy("Lila"),
}


def sidebar_context(talk: Conversation, person: Person, *, lines: int | None = None) -> dict[str, Any]:
    """What a conversation's page shows beside its messages; of its history the last lines, or all."""
    happened = history.events_of(talk, latest=None if lines is None else lines + 1)
    is_cut = lines is not None and len(happened) > lines
    offer = reassignment.offer_in(talk)
    is_mine = offer is not None and access.offers_to(person).filter(pk=offer.pk).exists()
    taken_over = reassignment.taken_over_by(talk) if talk.assignee_id == person.pk else None
    put_on = Labelling.objects.filter(label=OuterRef("pk"), conversation=talk)
    choices = list(talk.mailbox.labels.annotate(is_on=Exists(put_on)).order_by("name", "pk"))
    return {
        "history": history.lines_of(happened[1:] if is_cut else happened),
        "is_cut": is_cut,
        "milestones": history.milestones_of(talk),
        "offer": offer,
        "is_offer_mine": is_mine,
        "taken_over": taken_over if offer is None else None,
        "labels": [label for label in choices if label.is_on],
        "label_choices": choices,
        "notes": conversation_notes.notes_of(talk),
        "members": access.members_of(talk.mailbox).exclude(pk=person.pk),
        "note_length": conversation_notes.LONGEST,
        "today": timezone.localdate(),
        "others": at_work.others_in(talk, person),
    }


@login_required
@require_safe
def presence(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Who else looks at the conversation."""
    talk = get_object_or_404(
        access.conversations_of(request.user).select_related("mailbox"), pk=conversation_id
    )
    context = {"conversation": talk, "others": at_work.others_in(talk, request.user)}
    return render(request, "conversations/_presence.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """POST writes a note; the page is where one that could not be kept is mended."""
    talk = get_object_or_404(
        access.conversations_of(request.user).select_related("mailbox"), pk=conversation_id
    )
    person = request.user
    text = request.POST.get("anteckning", "").strip()
    chosen = _keys(request, "till")
    errors: dict[str, str] = {}
    if request.method == "POST":
        if not text:
            errors["anteckning"] = _("Skriv anteckningen.")
        elif len(text) > conversation_notes.LONGEST:
            most = conversation_notes.LONGEST
            errors["anteckning"] = _("Anteckningen är för lång: högst %(n)d tecken.") % {"n": most}
        else:
            _row, unknown = conversation_notes.write(talk.pk, person, text, mentioned=chosen)
            _told_of_unknown(request, unknown)
            return redirect(f"{reverse('conversation', args=[talk.pk])}#anteckningar")
    context = {
        "conversation": talk,
        "mailbox": talk.mailbox,
        "members": access.members_of(talk.mailbox).exclude(pk=person.pk),
        "note_length": conversation_notes.LONGEST,
        "text": text,
        "chosen": chosen,
        "errors": errors,
    }
    return render(request, "conversations/note.html", context, status=422 if errors else 200)


@login_required
@require_POST
def remove_note(request: PersonRequest, note_id: int) -> HttpResponse:
    """Take one's own note away."""
    person = request.user
    row = get_object_or_404(access.notes_of(person).filter(written_by=person), pk=note_id)
    conversation_notes.remove(row, person)
    messages.success(request, _("Anteckningen är borttagen."))
    return redirect(f"{reverse('conversation', args=[row.conversation_id])}#anteckningar")


@login_required
@require_POST
def label(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Put the labels that were chosen on the conversation, and take the others off."""
    talk = get_object_or_404(access.conversations_of(request.user), pk=conversation_id)
    chosen, seen = _keys(request, "etikett"), _keys(request, "hade")
    mailbox_labels.put(talk.pk, request.user, chosen, seen=seen)
    return redirect("conversation", talk.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def labels(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """The mailbox's labels; POST makes one."""
    box = get_object_or_404(access.mailboxes_of(request.user), pk=mailbox_id)
    errors: dict[str, str] = {}
    if request.method == "POST":
        name, colour = _given(request)
        errors = _wrong(name)
        if not errors:
            try:
                mailbox_labels.make(box, name, colour)
            except mailbox_labels.NameTaken:
                errors["namn"] = _("Brevlådan har redan en etikett med det namnet.")
            except mailbox_labels.TooMany:
                errors["namn"] = _("Brevlådan har redan %(n)d etiketter. Ta bort någon först.") % {
                    "n": mailbox_labels.MOST
                }
            else:
                messages.success(request, _("Etiketten är skapad."))
                return redirect("labels", box.pk)
    context = {
        "mailbox": box,
        "labels": mailbox_labels.labels_of(box),
        "colours": COLOURS.items(),
        "longest": mailbox_labels.LONGEST,
        "may_remove": access.managed_by(request.user).filter(pk=box.pk).exists(),
        "given": request.POST,
        "errors": errors,
    }
    return render(request, "conversations/labels.html", context, status=422 if errors else 200)


@login_required
@require_POST
def change_label(request: PersonRequest, label_id: int) -> HttpResponse:
    """Give a label another name or colour."""
    row = get_object_or_404(access.labels_of(request.user), pk=label_id)
    name, colour = _given(request)
    wrong = _wrong(name)
    if wrong:
        messages.error(request, _("Fel: %(what)s") % {"what": wrong["namn"]})
        return redirect("labels", row.mailbox_id)
    try:
        mailbox_labels.change(row, name, colour)
        messages.success(request, _("Etiketten är ändrad."))
    except mailbox_labels.NameTaken:
        messages.error(request, _("Fel: Brevlådan har redan en etikett med det namnet."))
    return redirect("labels", row.mailbox_id)


@login_required
@require_POST
def remove_label(request: PersonRequest, label_id: int) -> HttpResponse:
    """Take a label away; those who manage the mailbox do."""
    rows = access.labels_of(request.user).filter(mailbox__in=access.managed_by(request.user))
    row = get_object_or_404(rows, pk=label_id)
    mailbox_id = row.mailbox_id
    mailbox_labels.remove(row)
    messages.success(request, _("Etiketten är borttagen från brevlådan och dess konversationer."))
    return redirect("labels", mailbox_id)


def _keys(request: PersonRequest, name: str) -> set[int]:
    return {int(key) for key in request.POST.getlist(name) if key.isdecimal() and len(key) < 19}


def _given(request: PersonRequest) -> tuple[str, str]:
    colour = request.POST.get("farg", "")
    name = " ".join(request.POST.get("namn", "").split())
    return name, colour if colour in Label.Colour.values else Label.Colour.GREY


def _wrong(name: str) -> dict[str, str]:
    if not name:
        return {"namn": _("Skriv etikettens namn.")}
    if not is_name(name):
        return {"namn": _("Ta bort radbrytningar och andra tecken som inte kan visas.")}
    if len(name) > mailbox_labels.LONGEST:
        return {"namn": _("Namnet är för långt: högst %(n)d tecken.") % {"n": mailbox_labels.LONGEST}}
    return {}


def _told_of_unknown(request: PersonRequest, unknown: list[str]) -> None:
    if not unknown:
        messages.success(request, _("Anteckningen är sparad."))
        return
    names = ", ".join(f"@{name}" for name in unknown)
    told = _("Anteckningen är sparad, men ingen har fått veta för %(names)s: skriv hela namnet på en medlem.")
    messages.warning(request, told % {"names": names})
