"""Notes and labels of a conversation, who has it open, and the labels of a mailbox."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access
from mailbox.conversations import history, reassignment
from mailbox.conversations import labels as mailbox_labels
from mailbox.conversations import notes as conversation_notes
from mailbox.conversations import presence as conversation_presence
from mailbox.conversations.addresses import conversation_url
from mailbox.conversations.forms import LabelForm, LabelsForm, NoteForm
from mailbox.forms import first_errors
from mailbox.models import Conversation, Label, Labelling, Person
from mailbox.requests import PersonRequest

COLOURS: dict[str, str | Promise] = {
    Label.Colour.GREY: lazy("Grå"),
    Label.Colour.BLUE: lazy("Blå"),
    Label.Colour.GREEN: lazy("Grön"),
    Label.Colour.YELLOW: lazy("Gul"),
    Label.Colour.RED: lazy("Röd"),
    Label.Colour.PURPLE: lazy("Lila"),
}


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """A label in the form of a conversation's labels: whether the conversation had it when the page was made,
    and whether it is chosen."""

    label: Label
    is_on: bool
    is_chosen: bool

    @property
    def pk(self) -> int:
        return self.label.pk


def sidebar_context(
    conversation: Conversation, person: Person, *, lines: int | None = None
) -> dict[str, Any]:
    """What a conversation's page shows beside its messages; `lines` is the most lines of history."""
    events = history.events_of(conversation, latest=None if lines is None else lines + 1)
    is_cut = lines is not None and len(events) > lines
    offer = reassignment.offer_in(conversation)
    is_mine = offer is not None and access.offers_to(person).filter(pk=offer.pk).exists()
    accepted = reassignment.last_accepted(conversation) if conversation.assignee_id == person.pk else None
    choices = _label_choices(conversation)
    return {
        "history": history.lines_of(events[1:] if is_cut else events),
        "is_cut": is_cut,
        "milestones": history.milestones_of(conversation),
        "offer": offer,
        "is_offer_mine": is_mine,
        "taken_over": accepted if offer is None else None,
        "labels": [choice.label for choice in choices if choice.is_on],
        "label_choices": choices,
        "label_length": mailbox_labels.LONGEST,
        "notes": conversation_notes.notes_of(conversation),
        "members": access.members_who_see(conversation).exclude(pk=person.pk),
        "note_length": conversation_notes.LONGEST,
        "today": timezone.localdate(),
        "others": conversation_presence.others_in(conversation, person),
    }


@login_required
@require_safe
def presence(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """The part of a conversation's page that tells who else has it open."""
    conversation = get_object_or_404(
        access.conversations_of(request.user).select_related("mailbox"), pk=conversation_id
    )
    context = {
        "conversation": conversation,
        "others": conversation_presence.others_in(conversation, request.user),
    }
    return render(request, "conversations/_presence.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """POST adds a note; the page shows the form again where it could not be saved."""
    conversation = get_object_or_404(
        access.conversations_to_work_on(request.user).select_related("mailbox"), pk=conversation_id
    )
    person = request.user
    form = NoteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        row, unknown = conversation_notes.write(
            conversation.pk, person, given["note"], mentioned=given["mentioned"]
        )
        _confirm_note(request, unknown)
        return redirect(f"{conversation_url(conversation.pk, given['list'])}#anteckning-{row.pk}")
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "members": access.members_who_see(conversation).exclude(pk=person.pk),
        "note_length": conversation_notes.LONGEST,
        "text": form.data.get("note", ""),
        "chosen": form.cleaned_data.get("mentioned", set()) if form.is_bound else set(),
        "errors": first_errors(form),
    }
    return render(request, "conversations/note.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
def remove_note(request: PersonRequest, note_id: int) -> HttpResponse:
    """Delete one's own note."""
    person = request.user
    row = get_object_or_404(access.notes_of(person).filter(written_by=person), pk=note_id)
    conversation_notes.remove(row, person)
    messages.success(request, _("Anteckningen är borttagen."))
    return redirect("conversation", row.conversation_id)


@login_required
@require_POST
def label(request: PersonRequest, conversation_id: int) -> HttpResponse:
    """Give the conversation the labels that were chosen, a new one among them, and no others."""
    rows = access.conversations_to_work_on(request.user).select_related("mailbox")
    conversation = get_object_or_404(rows, pk=conversation_id)
    form = LabelsForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            mailbox_labels.set_labels(
                conversation.pk,
                request.user,
                given["label"],
                seen=given["had"],
                new_name=given["new_label"],
            )
        except mailbox_labels.TooMany:
            form.add_error("new_label", _too_many_labels())
        else:
            return redirect(conversation_url(conversation.pk, given["list"]))
    chosen, had = form.cleaned_data["label"], form.cleaned_data["had"]
    list_address = form.cleaned_data["list"]
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "label_choices": [
            LabelChoice(choice.label, is_on=choice.pk in had, is_chosen=choice.pk in chosen)
            for choice in _label_choices(conversation)
        ],
        "label_length": mailbox_labels.LONGEST,
        "new_label": form.data.get("new_label", ""),
        "list_address": list_address,
        "own_url": conversation_url(conversation.pk, list_address),
        "errors": first_errors(form),
    }
    return render(request, "conversations/label.html", context, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def labels(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """The labels of a mailbox; POST creates one."""
    box = get_object_or_404(access.mailboxes_to_work_in(request.user), pk=mailbox_id)
    form = LabelForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            mailbox_labels.create(box, form.cleaned_data["name"], form.cleaned_data["colour"])
        except mailbox_labels.NameTaken:
            form.add_error("name", _("Brevlådan har redan en etikett med det namnet."))
        except mailbox_labels.TooMany:
            form.add_error("name", _too_many_labels())
        else:
            messages.success(request, _("Etiketten är skapad."))
            return redirect("labels", box.pk)
    errors = first_errors(form)
    context = {
        "mailbox": box,
        "labels": mailbox_labels.labels_of(box, request.user),
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
    """Change a label's name or colour."""
    row = get_object_or_404(access.labels_to_work_on(request.user), pk=label_id)
    form = LabelForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Fel: %(what)s") % {"what": first_errors(form)["name"]})
        return redirect("labels", row.mailbox_id)
    try:
        mailbox_labels.change(row, form.cleaned_data["name"], form.cleaned_data["colour"])
        messages.success(request, _("Etiketten är ändrad."))
    except mailbox_labels.NameTaken:
        messages.error(request, _("Fel: Brevlådan har redan en etikett med det namnet."))
    return redirect("labels", row.mailbox_id)


@login_required
@require_POST
def remove_label(request: PersonRequest, label_id: int) -> HttpResponse:
    """Delete a label; only managers of the mailbox may."""
    rows = access.labels_to_work_on(request.user).filter(mailbox__in=access.managed_by(request.user))
    row = get_object_or_404(rows, pk=label_id)
    mailbox_id = row.mailbox_id
    mailbox_labels.remove(row)
    messages.success(request, _("Etiketten är borttagen från brevlådan och dess konversationer."))
    return redirect("labels", mailbox_id)


def _label_choices(conversation: Conversation) -> list[LabelChoice]:
    """The labels of the conversation's mailbox by name, those of the conversation chosen; in one query."""
    labelling = Labelling.objects.filter(label=OuterRef("pk"), conversation=conversation)
    rows = conversation.mailbox.labels.annotate(is_on=Exists(labelling)).order_by("name", "pk")
    return [LabelChoice(row, is_on=row.is_on, is_chosen=row.is_on) for row in rows]


def _too_many_labels() -> str:
    return _("Brevlådan har redan %(n)d etiketter. Ta bort någon först.") % {"n": mailbox_labels.MOST}


def _confirm_note(request: PersonRequest, unknown: list[str]) -> None:
    if not unknown:
        messages.success(request, _("Anteckningen är sparad."))
        return
    names = ", ".join(f"@{name}" for name in unknown)
    warning = _(
        "Anteckningen är sparad, men ingen har fått veta för %(names)s: skriv hela namnet på en medlem."
    )
    messages.warning(request, warning % {"names": names})
