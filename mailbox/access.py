"""The one place that decides what a person may see, and whom they may let in.

- A person sees a function mailbox as its member, while the membership lasts, and in no other way.
- Conversations, messages, attachments and drafts are seen by those who see their mailbox. A draft is written
  by its owner; a colleague who wants to write in it takes it over first. One that somebody has begun and not
  written in is seen by them alone.
- A member works in the mailbox: writes, sends, assigns, registers, and all else that changes something. A
  reader is a member who sees what others see, fetches it and searches it, and changes nothing; nothing is
  assigned or offered to them.
- A writer is a member who works as others do, but sends nothing alone: what they write, a colleague who sends
  approves. A mailbox may demand the same of everybody, for all messages or for confidential ones
  (`needs_approval`); it is set by those who manage it, and what demands less by two of them.
- A message is approved by a member who sends, sees it and has not written in it, exactly as it is sent; when
  it leaves, both they and whoever asked still have their rights. A message that failed is sent again by those
  who send, and where approval is demanded not by who wrote it. Other message clients are other systems.
- An observer sees a mailbox's counts and sums, and in no other way is a member: no message, no conversation,
  no name of a person or counterpart, no notice, no search.
- A protected conversation is seen by those members of its mailbox alone who are named in it, while their
  memberships last, with everything in it: messages, attachments, drafts, notes, labels, registrations.
  Whoever works on a conversation may protect it, themselves among those named; who is named and works in the
  mailbox says who else is, and ends the protection. Others see that something protected has arrived, and
  when. A manager who is not named opens it with a reason, which is logged and which those named are told; an
  administrator does not open it. It is offered to nobody who is not named, and to no other mailbox.
- A conversation is reassigned within its organisation: to a member of its mailbox, or to another mailbox
  that is open. Whoever it is offered to sees what was written to them about it, and who the other side is;
  the conversation itself they see as members of its mailbox, or once they have accepted it.
- A conversation and its messages are registered by those who work on them, who also correct and withdraw what
  was registered, each under their own name. Whether a mailbox demands it, and the form of its case numbers,
  is said by those who manage it.
- A conversation is handed over to a case system by order of those who see it and work in its mailbox; they
  see what became of it, try it again and withdraw it. That a mailbox's conversations are handed over by
  themselves is said by its managers, who are members of it; protected ones are not. Which case systems
  there are and which mailboxes may use them is said by administrators, two together; they see counts and
  why something failed, and no conversation.
- Which functions use another supplier's message service, and where that is, is said by administrators, two
  together: whoever last changed it does not turn it on. They see counts and what was set aside by its id and
  the reason, and no message.
- Notes are seen by those who see the conversation, and taken away by who wrote them. Labels are a mailbox's
  own: its members make and change them, those who manage it take them away.
- A view across mailboxes is seen by the person who saved it, and shows the mailboxes that they see now.
- Its canned texts, signature and distribution lists are seen and changed by those who work in it, its
  mailings seen by its members; how long what is sent can be undone is said by those who manage it.
- When a mailbox is staffed, its time limits and who is on duty are set by those who manage it; the hours
  that an organisation's mailboxes have by default by its administrators.
- A manager of a mailbox is a member who also says who else is one, and who else manages it.
- Rules on arrival are seen, tried and changed by a mailbox's managers, who are members of it and so read
  what rules look at; administrators do not have them. A rule that moves messages to a mailbox that its author
  reads, or whose members they have named, moves nothing until an administrator has confirmed it.
- An administrator of an organisation sees its mailboxes' names and members, and no message: to read, one
  has to be a member like everybody else, which the access log shows.
- What other message clients may see and act for is said by an organisation's administrators, two together:
  what one proposes another confirms, since it opens messages that neither of them sees.
- Nobody lets others' messages go to a mailbox in which they are a member, or whose members they have named:
  closing a function or a mailbox, opening one, the catch-all and taking a function back from another client
  wait for a second administrator then, and those concerned are told (`four_eyes`).
- An auditor of an organisation reads its access log, and sees no message.
- A leader of a department sees the figures of its mailboxes, and of the departments below it: sums, without
  a message, a person's name or a counterpart that is seldom written with; and what they cost. How long
  messages waited they see where several people work (`statistics.departments.caution`). An organisation's
  administrators see all its figures, keep its departments and prices, and name leaders, not themselves.
- Nobody gives what they do not hold: members and managers of a mailbox are named by its managers and by
  the organisation's administrators, administrators by administrators, auditors by auditors. Nobody names
  themselves, nor by a rule that they have made alone.
- A directory service adds, groups and locks out people of the organisation whose two administrators let it
  in, and of no other; a group gives a mailbox once an administrator has mapped it, and the mapping's maker
  nothing until a second one has confirmed it.
- An organisation locks people out of what is its own; whoever is locked out everywhere, or logged out, sees
  nothing.

Views, events, search and exports begin with these querysets; what is not in them does not exist (404).
"""

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import BigIntegerField, BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now

from transport.message_api.api import ApiClient, FunctionRoute
from transport.remote_message_service.api import RemoteService

from .models import (
    ApprovalRequest,
    ApprovalRule,
    ArrivalRule,
    Attachment,
    CannedText,
    CaseDelivery,
    CaseSystem,
    Conversation,
    Department,
    DepartmentLeader,
    DistributionList,
    Draft,
    FunctionMailbox,
    Label,
    Mailing,
    Membership,
    Message,
    NamedMember,
    Note,
    OrganisationLock,
    OrganisationRole,
    Person,
    PriceList,
    Reassignment,
    Registration,
    SavedView,
)
from .prepared_query import PreparedQuery

Viewer = Person | AnonymousUser
# Roles of a membership by which nothing is changed.
WITHOUT_WORK = (Membership.Role.OBSERVER, Membership.Role.READER)
LEADER: Final = "leader"


def mailboxes_of(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes that the person is a member of."""
    return FunctionMailbox.objects.filter(pk__in=_memberships_of(person).values("mailbox"))


def mailboxes_to_work_in(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes in which the person changes something: those of which they are more than a reader."""
    working = _memberships_of(person).filter(working_memberships())
    return FunctionMailbox.objects.filter(pk__in=working.values("mailbox"))


def conversations_to_work_on(person: Viewer) -> QuerySet[Conversation]:
    """Conversations in which the person changes something."""
    return conversations_of(person).filter(mailbox__in=mailboxes_to_work_in(person))


def messages_to_work_on(person: Viewer) -> QuerySet[Message]:
    """Messages that the person answers, forwards or cancels."""
    return messages_of(person).filter(conversation__mailbox__in=mailboxes_to_work_in(person))


def drafts_to_work_on(person: Viewer) -> QuerySet[Draft]:
    """Drafts that the person writes, takes over, sends or deletes."""
    return drafts_of(person).filter(mailbox__in=mailboxes_to_work_in(person))


def registrations_to_work_on(person: Viewer) -> QuerySet[Registration]:
    """Registrations that the person corrects or withdraws."""
    return registrations_of(person).filter(conversation__mailbox__in=mailboxes_to_work_in(person))


def labels_to_work_on(person: Viewer) -> QuerySet[Label]:
    """Labels that the person changes."""
    return Label.objects.filter(mailbox__in=mailboxes_to_work_in(person))


def is_shown_to(person: Viewer, conversation: str = "") -> Q:
    """Whether a conversation of the person's mailboxes is not protected, or they are named in it.

    `conversation` is the path to it from the rows that are filtered. Where little is protected this costs a
    look at the row itself, and who is named is not asked.
    """
    path = f"{conversation}__" if conversation else ""
    named = NamedMember.objects.filter(membership__in=_memberships_of(person)).values("conversation")
    return Q(**{f"{path}is_protected": False}) | Q(**{f"{path}pk__in": named})


def hidden_from(person: Viewer) -> QuerySet[Conversation]:
    """Protected conversations of the person's mailboxes in which they are not named.

    They are few, and found by an index of their own.
    """
    rows = Conversation.objects.filter(is_protected=True, mailbox__in=mailboxes_of(person))
    return rows.exclude(is_shown_to(person))


def keys_hidden_from(person: Viewer) -> list[int]:
    """The keys of `hidden_from`, mostly none."""
    return [key for (key,) in _HIDDEN.rows(person)] if isinstance(person, Person) else []


def _hidden_keys(person: Person) -> QuerySet[Conversation, int]:
    return hidden_from(person).values_list("pk", flat=True)


_HIDDEN: Final = PreparedQuery(_hidden_keys)


def conversations_of(person: Viewer) -> QuerySet[Conversation]:
    """Conversations of the mailboxes that the person sees, but for protected ones of others."""
    return Conversation.objects.filter(is_shown_to(person), mailbox__in=mailboxes_of(person))


def locked_in(mailbox_id: int, person: Viewer, state: str) -> QuerySet[Conversation]:
    """Conversations of a mailbox of the person's in a state that are protected, and hidden from them. Pages
    show when something arrived in them, and nothing else."""
    return hidden_from(person).filter(mailbox=mailbox_id, state=state)


def protected_to_open(person: Viewer) -> QuerySet[Conversation]:
    """Protected conversations that the person may open with a reason: those hidden from a manager."""
    return hidden_from(person).filter(mailbox__in=mailboxes_managed_as_member(person))


def messages_of(person: Viewer) -> QuerySet[Message]:
    """Messages of those conversations."""
    return Message.objects.filter(
        is_shown_to(person, "conversation"), conversation__mailbox__in=mailboxes_of(person)
    )


def attachments_of(person: Viewer) -> QuerySet[Attachment]:
    """Attachments of those messages, but for those in which malicious code was found: nobody opens them."""
    return Attachment.objects.filter(
        is_shown_to(person, "document__message__conversation"),
        is_blocked=False,
        document__message__conversation__mailbox__in=mailboxes_of(person),
    )


def drafts_of(person: Viewer) -> QuerySet[Draft]:
    """Drafts of the mailboxes that the person sees, but for those that answer or forward messages which are
    hidden from them; an untouched one only by its owner."""
    rows = Draft.objects.filter(
        Q(is_untouched=False) | Q(owner_id=person.pk or 0), mailbox__in=mailboxes_of(person)
    )
    return rows.exclude(drafts_hidden_from(person))


def drafts_hidden_from(person: Viewer) -> Q:
    """Drafts that answer or forward messages of conversations that are hidden from the person."""
    hidden = messages_hidden_from(person)
    return Q(answers__in=hidden) | Q(forwards__in=hidden)


def messages_hidden_from(person: Viewer) -> QuerySet[Message, int]:
    """The keys of the messages that are hidden from the person."""
    return Message.objects.filter(conversation__in=hidden_from(person)).values_list("pk", flat=True)


def members_of(mailbox: FunctionMailbox) -> QuerySet[Person]:
    """People who see the mailbox now."""
    members = Membership.objects.filter(current_memberships(), mailbox=mailbox).values("person")
    return Person.objects.filter(pk__in=members, is_active=True).order_by("name", "pk")


def workers_of(mailbox: FunctionMailbox) -> QuerySet[Person]:
    """Members of the mailbox who are more than readers: what is there can be assigned to them."""
    working = Membership.objects.filter(current_memberships(), working_memberships(), mailbox=mailbox)
    return members_of(mailbox).filter(pk__in=working.values("person"))


def possible_assignees(conversation: Conversation) -> QuerySet[Person]:
    """Those of them who see the conversation."""
    workers = workers_of(conversation.mailbox).values("pk")
    return members_who_see(conversation).filter(pk__in=workers)


def members_who_see(conversation: Conversation) -> QuerySet[Person]:
    """People who see the conversation now: members of its mailbox, or those of them who are named in it."""
    members = members_of(conversation.mailbox)
    if not conversation.is_protected:
        return members
    named = NamedMember.objects.filter(conversation=conversation).values("membership__person")
    return members.filter(pk__in=named)


def people_named_in(conversation_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """The keys of the people who are named in each of these protected conversations, in one query. Whether
    they still are members is not asked."""
    found: dict[int, set[int]] = {key: set() for key in conversation_ids}
    if found:
        rows = NamedMember.objects.filter(conversation__in=found)
        for key, person_id in rows.values_list("conversation_id", "membership__person"):
            found[key].add(person_id)
    return {key: frozenset(people) for key, people in found.items()}


def reassignable_mailboxes(mailbox: FunctionMailbox) -> QuerySet[FunctionMailbox]:
    """Mailboxes to which a conversation of this one may be reassigned."""
    rows = FunctionMailbox.objects.filter(participant_id=mailbox.participant_id, is_open=True)
    return rows.exclude(pk=mailbox.pk).order_by("name", "pk")


def mailboxes_to_offer_to(conversation: Conversation) -> QuerySet[FunctionMailbox]:
    """Mailboxes to which the conversation may be offered: a protected one to none."""
    rows = reassignable_mailboxes(conversation.mailbox)
    return rows.none() if conversation.is_protected else rows


def offers_to(person: Viewer) -> QuerySet[Reassignment]:
    """Reassignments that wait for the person: offered to them, or to a mailbox in which they work."""
    boxes = mailboxes_to_work_in(person)
    to_them = Q(to_person_id=person.pk or 0, conversation__mailbox__in=boxes)
    to_a_mailbox = Q(to_mailbox__in=boxes, conversation__is_protected=False)
    rows = Reassignment.objects.filter(to_them | to_a_mailbox, settled_at=None)
    return rows.exclude(conversation__in=hidden_from(person))


def undoable_by(person: Viewer) -> QuerySet[Conversation]:
    """Conversations in which the person may undo what they have just done: those that they see, and those
    that were declined for a mailbox of theirs."""
    boxes = mailboxes_to_work_in(person)
    declined = Reassignment.objects.filter(to_mailbox__in=boxes, outcome=Reassignment.Outcome.DECLINED)
    of_others = Q(pk__in=declined.values("conversation"), is_protected=False)
    return Conversation.objects.filter(Q(mailbox__in=boxes) | of_others).exclude(pk__in=hidden_from(person))


def registrations_of(person: Viewer) -> QuerySet[Registration]:
    """What the conversations that the person sees were registered as, ended registrations too."""
    rows = Registration.objects.filter(conversation__mailbox__in=mailboxes_of(person))
    return rows.exclude(conversation__in=hidden_from(person))


def case_deliveries_of(person: Viewer) -> QuerySet[CaseDelivery]:
    """Deliveries to case systems of the conversations that the person sees."""
    rows = CaseDelivery.objects.filter(conversation__mailbox__in=mailboxes_of(person))
    return rows.exclude(conversation__in=hidden_from(person))


def case_deliveries_to_work_on(person: Viewer) -> QuerySet[CaseDelivery]:
    """Deliveries that the person tries again or withdraws."""
    return case_deliveries_of(person).filter(conversation__mailbox__in=mailboxes_to_work_in(person))


def case_systems_of(person: Viewer) -> QuerySet[CaseSystem]:
    """Case systems of the organisations that the person administers."""
    return CaseSystem.objects.filter(participant_id__in=administered_by(person))


def notes_of(person: Viewer) -> QuerySet[Note]:
    """Notes on the conversations that the person sees."""
    rows = Note.objects.filter(conversation__mailbox__in=mailboxes_of(person))
    return rows.exclude(conversation__in=hidden_from(person))


def labels_of(person: Viewer) -> QuerySet[Label]:
    """Labels of the mailboxes that the person sees."""
    return Label.objects.filter(mailbox__in=mailboxes_of(person))


def saved_views_of(person: Viewer) -> QuerySet[SavedView]:
    """The lists across mailboxes that the person has saved; what they show is decided when they are shown."""
    return SavedView.objects.filter(person_id=person.pk or 0)


def mailboxes_with_rules_of(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes whose rules on arrival the person keeps: those that they manage as a member."""
    return mailboxes_managed_as_member(person)


def mailboxes_managed_as_member(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes that the person manages and reads."""
    managing = _memberships_of(person).filter(role=Membership.Role.MANAGER)
    return FunctionMailbox.objects.filter(pk__in=managing.values("mailbox"))


def arrival_rules_of(person: Viewer) -> QuerySet[ArrivalRule]:
    """Rules on arrival of those mailboxes."""
    return ArrivalRule.objects.filter(mailbox__in=mailboxes_with_rules_of(person))


def canned_texts_of(person: Viewer) -> QuerySet[CannedText]:
    """Canned texts of the mailboxes that the person works in."""
    return CannedText.objects.filter(mailbox__in=mailboxes_to_work_in(person))


def distribution_lists_of(person: Viewer) -> QuerySet[DistributionList]:
    """Distribution lists of the mailboxes that the person works in."""
    return DistributionList.objects.filter(mailbox__in=mailboxes_to_work_in(person))


def mailings_of(person: Viewer) -> QuerySet[Mailing]:
    """Mailings of the mailboxes that the person sees."""
    return Mailing.objects.filter(mailbox__in=mailboxes_of(person))


def current_memberships() -> Q:
    """Memberships by which a mailbox is seen now: those of observers are not among them."""
    return ~Q(role=Membership.Role.OBSERVER) & _lasting_memberships()


def _lasting_memberships() -> Q:
    """Memberships that have not ended, of people whom the organisation has not locked out."""
    locks = OrganisationLock.objects.filter(
        person=OuterRef("person"), participant_id=OuterRef("mailbox__participant_id")
    )
    return (Q(ends_at=None) | Q(ends_at__gt=Now())) & Q(~Exists(locks))


def working_memberships() -> Q:
    """Memberships of more than readers."""
    return ~Q(role__in=WITHOUT_WORK)


def sending_memberships() -> Q:
    """Memberships of those who send without asking, where the mailbox does not demand approval."""
    return Q(role__in=(Membership.Role.MEMBER, Membership.Role.MANAGER))


def observed_by(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes of which the person sees counts alone."""
    if not isinstance(person, Person) or not person.is_active:
        return FunctionMailbox.objects.none()
    rows = Membership.objects.filter(
        _lasting_memberships(), person=person, role=Membership.Role.OBSERVER
    ).values("mailbox")
    return FunctionMailbox.objects.filter(pk__in=rows)


def mailboxes_to_send_from(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes from which the person sends, and whose messages they approve."""
    sending = _memberships_of(person).filter(sending_memberships())
    return FunctionMailbox.objects.filter(pk__in=sending.values("mailbox"))


def messages_to_send_again(person: Viewer) -> QuerySet[Message]:
    """Messages of those mailboxes, which the person sends again when they have failed."""
    return messages_of(person).filter(conversation__mailbox__in=mailboxes_to_send_from(person))


def is_approval_demanded(mailbox: FunctionMailbox, *, is_confidential: bool) -> bool:
    """Whether the mailbox demands, of everybody, that such a message is approved."""
    rows = ApprovalRule.objects.filter(mailbox=mailbox).values_list("demand", flat=True)
    demand = rows.first() or ApprovalRule.Demand.NONE
    return demand == ApprovalRule.Demand.ALL or (
        demand == ApprovalRule.Demand.CONFIDENTIAL and is_confidential
    )


def needs_approval(draft: Draft, person: Viewer) -> bool:
    """Whether somebody else has to approve the draft before it is sent in the person's name."""
    if is_approval_demanded(draft.mailbox, is_confidential=draft.is_confidential):
        return True
    return not mailboxes_to_send_from(person).filter(pk=draft.mailbox_id).exists()


def approval_requests_of(person: Viewer) -> QuerySet[ApprovalRequest]:
    """Requests for approval of the drafts that the person works on."""
    return ApprovalRequest.objects.filter(draft__in=drafts_to_work_on(person))


def approval_requests_to_answer(person: Viewer) -> QuerySet[ApprovalRequest]:
    """Open requests that the person approves or gives back: of drafts in which they have not written."""
    asker = Membership.objects.filter(
        current_memberships(),
        working_memberships(),
        person=OuterRef("asked_by"),
        mailbox=OuterRef("draft__mailbox"),
        person__is_active=True,
    )
    rows = ApprovalRequest.objects.filter(
        Exists(asker),
        state=ApprovalRequest.State.OPEN,
        draft__in=drafts_of(person),
        draft__mailbox__in=mailboxes_to_send_from(person),
    )
    return rows.exclude(_IsAmong(Value(person.pk or 0, output_field=BigIntegerField()), F("writer_ids")))


def possible_approvers(draft: Draft, writers: Iterable[int]) -> QuerySet[Person]:
    """People who send from the draft's mailbox and see the draft, but for those who have written in it."""
    sending = Membership.objects.filter(current_memberships(), sending_memberships(), mailbox=draft.mailbox)
    rows = members_of(draft.mailbox).filter(pk__in=sending.values("person"))
    message = draft.answers or draft.forwards
    if message is not None and message.conversation.mailbox_id == draft.mailbox_id:
        rows = rows.filter(pk__in=members_who_see(message.conversation).values("pk"))
    return rows.exclude(pk__in=list(writers))


class _IsAmong(Func):
    """Whether a value is in an array."""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def current_roles() -> Q:
    """Roles of people whom the organisation has not locked out."""
    locks = OrganisationLock.objects.filter(
        person=OuterRef("person"), participant_id=OuterRef("participant_id")
    )
    return Q(~Exists(locks))


def logs_readable_by(person: Viewer) -> list[str]:
    """Participant ids of the organisations whose logs the person may read: they hold no content."""
    return sorted({*administered_by(person), *audited_by(person)})


def administered_by(person: Viewer) -> list[str]:
    """Participant ids of the organisations that the person administers."""
    return _organisations(person, OrganisationRole.Role.ADMINISTRATOR)


def audited_by(person: Viewer) -> list[str]:
    """Participant ids of the organisations whose access log the person reads."""
    return _organisations(person, OrganisationRole.Role.AUDITOR)


def api_clients_of(person: Viewer) -> QuerySet[ApiClient]:
    """Other message clients of the organisations that the person administers."""
    rows = ApiClient.objects.filter(organisation__participant_id__in=administered_by(person))
    return rows.select_related("organisation").order_by("organisation__name", "name", "client_id")


def remote_services_of(person: Viewer) -> QuerySet[RemoteService]:
    """Other suppliers' message services that those organisations use."""
    rows = RemoteService.objects.filter(organisation__participant_id__in=administered_by(person))
    return rows.select_related("organisation").order_by("organisation__name", "name", "pk")


def function_routes_of(person: Viewer) -> QuerySet[FunctionRoute]:
    """Which message clients the functions of those organisations belong to."""
    rows = FunctionRoute.objects.filter(organisation__participant_id__in=administered_by(person))
    return rows.select_related("organisation").order_by("organisation__name", "function_address")


def managed_by(person: Viewer) -> QuerySet[FunctionMailbox]:
    """Mailboxes whose members the person names: as its manager, or the organisation's administrator."""
    managing = _memberships_of(person).filter(role=Membership.Role.MANAGER)
    return FunctionMailbox.objects.filter(
        Q(pk__in=managing.values("mailbox")) | Q(participant_id__in=administered_by(person))
    )


def departments_administered_by(person: Viewer) -> QuerySet[Department]:
    """Departments that the person keeps, removed ones too."""
    return Department.objects.filter(participant_id__in=administered_by(person))


def departments_of(person: Viewer) -> QuerySet[Department]:
    """Departments whose figures the person sees: those of organisations that they administer, those that
    they lead, and all below these."""
    led = set(_leaderships_of(person).values_list("department", flat=True))
    organisations = Department.objects.filter(pk__in=led).values("participant_id")
    rows = Department.objects.filter(participant_id__in=organisations).values_list("pk", "parent")
    children: dict[int | None, list[int]] = {}
    for key, parent in rows:
        children.setdefault(parent, []).append(key)
    seen, new = set(led), list(led)
    while new:
        new = [child for key in new for child in children.get(key, ()) if child not in seen]
        seen.update(new)
    return Department.objects.filter(
        Q(pk__in=seen) | Q(participant_id__in=administered_by(person)), removed_at=None
    )


def price_lists_of(person: Viewer) -> QuerySet[PriceList]:
    """Price lists that the person keeps."""
    return PriceList.objects.filter(participant_id__in=administered_by(person))


def current_leaders() -> Q:
    """Leaders of departments that are there, whom the organisation has not locked out."""
    locks = OrganisationLock.objects.filter(
        person=OuterRef("person"), participant_id=OuterRef("department__participant_id")
    )
    return Q(department__removed_at=None) & Q(~Exists(locks))


def duties_of(person: Viewer) -> set[str]:
    """What the person is besides a member, as role values: manager of a mailbox, administrator, auditor; and
    `LEADER`.

    One query, as every page's menu asks for it.
    """
    if not isinstance(person, Person) or not person.is_active:
        return set()
    return {role for (role,) in _DUTIES.rows(person)}


def _duties(person: Person) -> QuerySet[OrganisationRole, str]:
    managing = _memberships_of(person).filter(role=Membership.Role.MANAGER)
    roles = OrganisationRole.objects.filter(current_roles(), person=person)
    leading = _leaderships_of(person).values_list(Value(LEADER), flat=True)
    return roles.values_list("role", flat=True).union(managing.values_list("role", flat=True), leading)


_DUTIES: Final = PreparedQuery(_duties)


def may_name(actor: Viewer, person: Person, role: str, participant_id: str) -> bool:
    """Whether the actor may give somebody a role in an organisation, or take it: who holds it, may."""
    return actor.pk != person.pk and participant_id in _organisations(actor, role)


def mailbox_ids_of(person_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """`mailboxes_of` for many people in one query: ids of mailboxes by the person's id."""
    found: dict[int, set[int]] = {person_id: set() for person_id in person_ids}
    rows = Membership.objects.filter(current_memberships(), person__in=found, person__is_active=True)
    for person_id, mailbox_id in rows.values_list("person", "mailbox"):
        found[person_id].add(mailbox_id)
    return {person_id: frozenset(ids) for person_id, ids in found.items()}


def _memberships_of(person: Viewer) -> QuerySet[Membership]:
    if not isinstance(person, Person) or not person.is_active:
        return Membership.objects.none()
    return Membership.objects.filter(current_memberships(), person=person)


def _leaderships_of(person: Viewer) -> QuerySet[DepartmentLeader]:
    if not isinstance(person, Person) or not person.is_active:
        return DepartmentLeader.objects.none()
    return DepartmentLeader.objects.filter(current_leaders(), person=person)


def _organisations(person: Viewer, role: str) -> list[str]:
    if not isinstance(person, Person) or not person.is_active:
        return []
    roles = person.organisation_roles.filter(current_roles(), role=role)
    return list(roles.values_list("participant_id", flat=True).order_by("participant_id"))
