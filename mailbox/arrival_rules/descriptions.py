"""Rules, their effects and their failures in words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from mailbox import access
from mailbox.models import ArrivalRule, FunctionMailbox, Label, Person

from .decision import Actions, Conditions, Effect, Kind

Failure = ArrivalRule.Failure
FAILURES: Final[Mapping[str, str | Promise]] = {
    Failure.LABEL_GONE: lazy("etiketten finns inte längre"),
    Failure.NOT_A_MEMBER: lazy("en person i regeln är inte längre medlem i brevlådan"),
    Failure.TARGET_CLOSED: lazy("brevlådan som den flyttar till är stängd"),
    Failure.UNREADABLE: lazy("regeln går inte att läsa: ändra och spara den på nytt"),
    Failure.UNEXPECTED: lazy("ett oväntat fel: administratören av installationen ser det i loggen"),
}
_CONDITIONS: Final[Mapping[str, str | Promise]] = {
    "organisations": lazy("Avsändarens organisation är %(what)s"),
    "functions": lazy("Avsändarens funktionsadress är %(what)s"),
    "our_references": lazy("Vår beteckning är %(what)s"),
    "their_references": lazy("Motpartens beteckning är %(what)s"),
    "persons": lazy("Meddelandet är till personen %(what)s"),
    "words": lazy("I ämnet står %(what)s"),
    "file_types": lazy("En bilaga är av typen %(what)s"),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What rules of a mailbox can name, by key: its labels, its members, and other open mailboxes."""

    labels: Mapping[int, Label]
    members: Mapping[int, Person]
    mailboxes: Mapping[int, FunctionMailbox]


def choices_of(mailbox: FunctionMailbox) -> Choices:
    """What there is now, in three queries."""
    return Choices(
        {label.pk: label for label in mailbox.labels.order_by("name", "pk")},
        {person.pk: person for person in access.workers_of(mailbox)},
        {box.pk: box for box in access.reassignable_mailboxes(mailbox)},
    )


def conditions_in_words(conditions: Conditions) -> list[str]:
    """A line for each condition."""
    if conditions.is_empty():
        return [_("Alla meddelanden")]
    lines = []
    for name, text in _CONDITIONS.items():
        texts: Sequence[str] = getattr(conditions, name)
        if texts:
            lines.append(str(text) % {"what": _either(texts)})
    if conditions.is_confidential is not None:
        lines.append(_("Har sekretess") if conditions.is_confidential else _("Har inte sekretess"))
    if conditions.has_files is not None:
        lines.append(_("Har bilagor") if conditions.has_files else _("Har inga bilagor"))
    return lines


def actions_in_words(actions: Actions, choices: Choices) -> list[str]:
    """A line for each action; what is gone is said to be so."""
    lines = []
    if actions.label is not None:
        label = choices.labels.get(actions.label)
        lines.append(_("Sätter etiketten %(what)s") % {"what": label.name if label else _gone()})
    if actions.is_priority:
        lines.append(_("Prioriterar"))
    if actions.due_days is not None:
        lines.append(_due(actions.due_days))
    if actions.assign_to is not None:
        lines.append(_("Tilldelar %(who)s") % {"who": _names([actions.assign_to], choices)})
    if actions.assigns_in_turn:
        lines.append(_in_turn(actions.among, choices))
    if actions.move_to is not None:
        box = choices.mailboxes.get(actions.move_to)
        lines.append(_("Flyttar till %(what)s") % {"what": box.name if box else _gone()})
    if actions.notify:
        lines.append(_("Skickar en avisering till %(who)s") % {"who": _names(actions.notify, choices)})
    return lines


def effect_in_words(effect: Effect, choices: Choices) -> str:
    """What would happen to a message."""
    if effect.kind is Kind.ASSIGN_IN_TURN:
        return _("Tilldelas den som står på tur av dem som är inloggade")
    actions = {
        Kind.MOVE: Actions(move_to=effect.value),
        Kind.LABEL: Actions(label=effect.value),
        Kind.PRIORITY: Actions(is_priority=True),
        Kind.DUE: Actions(due_days=effect.value),
        Kind.ASSIGN: Actions(assign_to=effect.value),
        Kind.NOTIFY: Actions(notify=effect.people),
    }[effect.kind]
    return actions_in_words(actions, choices)[0]


def _due(days: int) -> str:
    if days == 0:
        return _("Ska vara klar samma dag")
    return ngettext("Ska vara klar inom %(n)d dag", "Ska vara klar inom %(n)d dagar", days) % {"n": days}


def _in_turn(among: Collection[int], choices: Choices) -> str:
    if not among:
        return _("Tilldelar i tur och ordning den av medlemmarna som är inloggad")
    return _("Tilldelar i tur och ordning den som är inloggad av %(who)s") % {"who": _names(among, choices)}


def _names(people: Collection[int], choices: Choices) -> str:
    found = [choices.members[key].name if key in choices.members else _no_member() for key in people]
    return ", ".join(found)


def _either(texts: Sequence[str]) -> str:
    return _(" eller ").join(f"”{text}”" for text in texts)


def _gone() -> str:
    return _("(finns inte längre)")


def _no_member() -> str:
    return _("(inte längre medlem)")
