"""Memberships that groups of a directory service give, and the mappings of groups to mailboxes.

They are kept apart from those that people or the e-ID's claims give: a group neither changes nor ends those.
"""

from collections.abc import Iterable
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from mailbox import access_log, events
from mailbox.administration import mailboxes
from mailbox.conversations import assignment
from mailbox.models import (
    Directory,
    DirectoryGroup,
    DirectoryGroupMapping,
    DirectoryUser,
    FunctionMailbox,
    Membership,
    Person,
)

# From the fewest to the most.
_RIGHTS: Final = tuple(Membership.Role)


class AlreadyMapped(Exception):
    """The group gives this mailbox already."""


def lock_directory(participant_id: str) -> None:
    """Let changes of an organisation's directory wait for each other until the transaction ends."""
    Directory.objects.get_or_create(pk=participant_id)
    Directory.objects.select_for_update().get(pk=participant_id)


def make_mapping(
    actor: Person, group: DirectoryGroup, mailbox: FunctionMailbox, role: str
) -> DirectoryGroupMapping:
    """Let the users of a group be members of a mailbox of its organisation. Raises `AlreadyMapped`.

    The actor's own membership waits for the confirmation of a second administrator.
    """
    with transaction.atomic():
        lock_directory(group.participant_id)
        mapping, is_new = DirectoryGroupMapping.objects.get_or_create(
            group=group, mailbox=mailbox, defaults={"role": role, "made_by": actor}
        )
        if not is_new:
            raise AlreadyMapped
        _record(actor, "directory-mapping-made", mapping)
        apply(group.participant_id, _people_of(group))
    return mapping


def confirm_mapping(actor: Person, mapping: DirectoryGroupMapping) -> bool:
    """Confirm another administrator's mapping, so that it gives its maker the mailbox too; False if the
    actor's confirmation does not count."""
    with transaction.atomic():
        lock_directory(mapping.group.participant_id)
        rows = DirectoryGroupMapping.objects.filter(pk=mapping.pk, confirmed_by=None)
        if not rows.exclude(made_by=actor).update(confirmed_by=actor):
            return False
        _record(actor, "directory-mapping-confirmed", mapping)
        apply(mapping.group.participant_id, _people_of(mapping.group))
    return True


def remove_mapping(actor: Person, mapping: DirectoryGroupMapping) -> None:
    """Remove a mapping, and end the memberships that only it gave."""
    with transaction.atomic():
        group = mapping.group
        lock_directory(group.participant_id)
        people = _people_of(group)
        _record(actor, "directory-mapping-removed", mapping)
        # The memberships are ended one by one below: a cascade would leave their conversations assigned.
        given = list(mapping.memberships.select_related("mailbox", "person"))
        for membership in given:
            mailboxes.remove_member(actor, membership)
        mapping.delete()
        apply(group.participant_id, people)


def apply_at_login(person: Person) -> None:
    """Bring the memberships that the person's groups give up to date: a claim may have given one before."""
    users = DirectoryUser.objects.filter(person=person, group_memberships__group__mappings__isnull=False)
    for participant_id in (
        users.order_by("participant_id").values_list("participant_id", flat=True).distinct()
    ):
        with transaction.atomic():
            lock_directory(participant_id)
            apply(participant_id, [person.pk])


def apply(participant_id: str, person_ids: Iterable[int], *, token: str = "") -> None:
    """Give people the memberships that their groups give now, and end those that they give no longer.

    The caller holds `lock_directory`. `token` is the name of the token by which it was ordered, for the log.
    """
    # In one order, since another organisation's directory may change the same people meanwhile.
    people = {person.pk: person for person in Person.objects.filter(pk__in=set(person_ids)).order_by("pk")}
    wanted = _wanted(participant_id, people)
    details: dict[str, Any] = {"token": token} if token else {}
    present: set[tuple[int, int]] = set()
    rows = Membership.objects.filter(person__in=people, mailbox__participant_id=participant_id)
    for membership in rows.select_related("mailbox", "person").order_by("person", "mailbox"):
        key = (membership.person_id, membership.mailbox_id)
        mapping = wanted.get(key)
        has_ended = membership.ends_at is not None and membership.ends_at <= timezone.now()
        if membership.directory_mapping_id is None and not (has_ended and mapping):
            present.add(key)
        elif mapping is None or has_ended:
            mailboxes.remove_member(None, membership, **details)
        else:
            present.add(key)
            _update(membership, mapping, details)
    for key, mapping in sorted(wanted.items()):
        if key not in present:
            _add(people[key[0]], mapping, details)


def _update(membership: Membership, mapping: DirectoryGroupMapping, details: dict[str, Any]) -> None:
    """Let a membership follow another mapping, or another role."""
    is_same_role = membership.role == mapping.role
    if is_same_role and membership.directory_mapping_id == mapping.pk:
        return
    membership.role, membership.directory_mapping = mapping.role, mapping
    membership.save(update_fields=["role", "directory_mapping"])
    if not is_same_role:
        assignment.adapt_to_role(membership)
        _record_member("member-changed", membership, details)


def _add(person: Person, mapping: DirectoryGroupMapping, details: dict[str, Any]) -> None:
    membership, is_new = Membership.objects.get_or_create(
        person=person,
        mailbox=mapping.mailbox,
        defaults={"role": mapping.role, "directory_mapping": mapping},
    )
    if is_new:
        _record_member("member-by-directory", membership, details)
        if not person.is_active:
            mailboxes.update_login_lock(person)
        events.announce_to(person.pk)


def _record_member(what: str, membership: Membership, details: dict[str, Any]) -> None:
    mailbox = membership.mailbox
    access_log.record(
        None,
        what,
        mailbox.participant_id,
        mailbox=mailbox,
        person=membership.person,
        role=membership.role,
        **details,
    )
    events.announce(mailbox.pk)


def _wanted(participant_id: str, people: Iterable[int]) -> dict[tuple[int, int], DirectoryGroupMapping]:
    """The mapping that gives each person each mailbox: of several, that with the most rights."""
    users = DirectoryUser.objects.filter(participant_id=participant_id, person__in=list(people))
    in_groups = users.filter(group_memberships__group__mappings__isnull=False)
    pairs = list(in_groups.values_list("person_id", "group_memberships__group__mappings"))
    mappings = DirectoryGroupMapping.objects.select_related("mailbox").in_bulk({pk for _, pk in pairs})
    wanted: dict[tuple[int, int], DirectoryGroupMapping] = {}
    for person_id, mapping_id in sorted(pairs):
        mapping = mappings[mapping_id]
        if mapping.confirmed_by_id is None and mapping.made_by_id == person_id:
            # Nobody makes themselves a member.
            continue
        key = (person_id, mapping.mailbox_id)
        if key not in wanted or _RIGHTS.index(mapping.role) > _RIGHTS.index(wanted[key].role):
            wanted[key] = mapping
    return wanted


def _people_of(group: DirectoryGroup) -> list[int]:
    return list(group.users.values_list("person_id", flat=True))


def _record(actor: Person, what: str, mapping: DirectoryGroupMapping) -> None:
    group, mailbox = mapping.group, mapping.mailbox
    access_log.record(
        actor, what, mailbox.participant_id, mailbox=mailbox, group=str(group.key), role=mapping.role
    )
