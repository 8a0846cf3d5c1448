"""Groups of a directory service, and who is in them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from mailbox import access_log
from mailbox.administration import mailboxes
from mailbox.models import DirectoryGroup, DirectoryGroupMember, DirectoryUser

from . import memberships, users
from .attributes import DISPLAY_NAME, EXTERNAL_ID, GroupAttributes, lookup_hash, no_member
from .problems import not_found, not_unique
from .tokens import Caller


def groups_of(caller: Caller) -> QuerySet[DirectoryGroup]:
    """The groups of the caller's organisation."""
    return DirectoryGroup.objects.filter(participant_id=caller.participant_id)


def by_id(caller: Caller, text: str) -> DirectoryGroup:
    """The group with this id. Raises `Refused` where the caller's organisation has none."""
    group = groups_of(caller).filter(key=users.key_of(text)).first()
    if group is None:
        raise not_found()
    return group


def attributes_of(group: DirectoryGroup) -> GroupAttributes:
    """The group's attributes as they are stored."""
    return GroupAttributes(group.attributes, members=frozenset(member_keys([group.pk]).get(group.pk, ())))


def member_keys(group_ids: Iterable[int]) -> dict[int, list[UUID]]:
    """The ids of the users in each of the groups, in one query."""
    found: dict[int, list[UUID]] = {}
    rows = DirectoryGroupMember.objects.filter(group__in=list(group_ids)).order_by("pk")
    for group_id, key in rows.values_list("group_id", "user__key"):
        found.setdefault(group_id, []).append(key)
    return found


def create(caller: Caller, given: GroupAttributes) -> DirectoryGroup:
    """Add a group. In the caller's transaction, which holds `lock_directory`. Raises `Refused`."""
    now = timezone.now()
    group = DirectoryGroup(participant_id=caller.participant_id, made_at=now, changed_at=now)
    _check_unique(group, given)
    _write(group, given)
    group.save()
    added = _set_members(caller, group, frozenset(), given.members)
    _record(caller, "directory-group-added", group, added=len(added))
    return group


def change(caller: Caller, group: DirectoryGroup, given: GroupAttributes) -> DirectoryGroup:
    """Let a group be as given; what is as it was changes nothing. In the caller's transaction, which holds
    `lock_directory`. Raises `Refused`."""
    before = attributes_of(group)
    if before == given:
        return group
    if before.texts != given.texts:
        _check_unique(group, given)
    _write(group, given)
    group.version += 1
    group.changed_at = timezone.now()
    group.save()
    changed = _set_members(caller, group, before.members, given.members)
    _record(
        caller,
        "directory-group-changed",
        group,
        added=len(given.members - before.members),
        removed=len(before.members - given.members),
    )
    memberships.apply(caller.participant_id, changed, token=caller.name)
    return group


def delete(caller: Caller, group: DirectoryGroup) -> None:
    """Remove a group, its mappings to mailboxes, and the memberships that only it gave. In the caller's
    transaction, which holds `lock_directory`."""
    people = list(group.users.values_list("person_id", flat=True))
    _record(caller, "directory-group-removed", group, removed=len(people))
    # Ended one by one: a cascade would leave their conversations assigned.
    for mapping in group.mappings.all():
        for membership in mapping.memberships.select_related("mailbox", "person").order_by("person"):
            mailboxes.remove_member(None, membership, token=caller.name)
    group.delete()
    memberships.apply(caller.participant_id, people, token=caller.name)


def _set_members(
    caller: Caller, group: DirectoryGroup, before: frozenset[UUID], after: frozenset[UUID]
) -> list[int]:
    """Add and remove users; returns the keys of the people concerned. Raises `Refused` for unknown users."""
    added = dict(users.users_of(caller).filter(key__in=after - before).values_list("pk", "person_id"))
    if len(added) != len(after - before):
        raise no_member()
    DirectoryGroupMember.objects.bulk_create(
        [DirectoryGroupMember(group=group, user_id=user_id) for user_id in sorted(added)]
    )
    gone = DirectoryUser.objects.filter(participant_id=caller.participant_id, key__in=before - after)
    removed = list(gone.values_list("person_id", flat=True))
    DirectoryGroupMember.objects.filter(group=group, user__in=gone).delete()
    return [*added.values(), *removed]


def _check_unique(group: DirectoryGroup, given: GroupAttributes) -> None:
    """Two groups may have one name where the directory service tells them apart by their external ids."""
    participant_id, texts = group.participant_id, given.texts
    others = DirectoryGroup.objects.filter(participant_id=participant_id).exclude(pk=group.pk)
    same_name = Q(display_name_hash=lookup_hash(participant_id, DISPLAY_NAME, texts[DISPLAY_NAME]))
    external = lookup_hash(participant_id, EXTERNAL_ID, texts.get(EXTERNAL_ID, ""))
    taken = Q(external_id_hash=external) | same_name & Q(external_id_hash="") if external else same_name
    if others.filter(taken).exists():
        raise not_unique("Another group has this externalId or displayName.")


def _write(group: DirectoryGroup, given: GroupAttributes) -> None:
    texts, participant_id = given.texts, group.participant_id
    group.attributes = dict(texts)
    group.external_id_hash = lookup_hash(participant_id, EXTERNAL_ID, texts.get(EXTERNAL_ID, ""))
    group.display_name_hash = lookup_hash(participant_id, DISPLAY_NAME, texts.get(DISPLAY_NAME, ""))


def _record(caller: Caller, what: str, group: DirectoryGroup, **details: Any) -> None:
    access_log.record(None, what, caller.participant_id, token=caller.name, group=str(group.key), **details)
