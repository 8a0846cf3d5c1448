"""Users of a directory service: who they are here, and whether their organisation lets them in."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from mailbox import access_log
from mailbox.administration import mailboxes
from mailbox.models import DirectoryGroup, DirectoryUser, Person
from mailbox.models.person import subject_key

from . import memberships
from .attributes import DISPLAY_NAME, EXTERNAL_ID, USER_NAME, UserAttributes, lookup_hash
from .problems import Refused, not_found, not_unique
from .tokens import Caller


def users_of(caller: Caller) -> QuerySet[DirectoryUser]:
    """The users of the caller's organisation."""
    return DirectoryUser.objects.filter(participant_id=caller.participant_id)


def by_id(caller: Caller, text: str) -> DirectoryUser:
    """The user with this id. Raises `Refused` where the caller's organisation has none."""
    user = users_of(caller).filter(key=key_of(text)).first()
    if user is None:
        raise not_found()
    return user


def key_of(text: str) -> UUID:
    """The key that a resource's id spells. Raises `Refused`."""
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None


def attributes_of(user: DirectoryUser) -> UserAttributes:
    """The user's attributes as they are stored."""
    return UserAttributes(user.attributes, is_active=user.is_active)


def create(caller: Caller, given: UserAttributes) -> DirectoryUser:
    """Add a user, and the person if nobody has logged in with that identity. In the caller's transaction,
    which holds `lock_directory`. Raises `Refused`."""
    now = timezone.now()
    user = DirectoryUser(participant_id=caller.participant_id, made_at=now, changed_at=now)
    _check_unique(user, given)
    user.person = _person_of(caller, given)
    _write(user, given)
    user.save()
    _record(caller, "directory-user-added", user)
    _set_locked(caller, user.person, is_locked=not given.is_active)
    return user


def change(caller: Caller, user: DirectoryUser, given: UserAttributes) -> DirectoryUser:
    """Let a user be as given; what is as it was changes nothing. In the caller's transaction, which holds
    `lock_directory`. Raises `Refused`.

    A user who becomes another person leaves as the one, and comes as the other.
    """
    before = attributes_of(user)
    if before == given:
        # An administrator may have let them in meanwhile.
        _set_locked(caller, user.person, is_locked=not given.is_active)
        return user
    _check_unique(user, given)
    left = None
    if user.person.subject_key != subject_key(given.identity):
        left, user.person = user.person, _person_of(caller, given)
    _write(user, given)
    user.version += 1
    user.changed_at = timezone.now()
    user.save()
    changed = sorted(
        name for name in {*before.texts, *given.texts} if before.texts.get(name) != given.texts.get(name)
    )
    _record(caller, "directory-user-changed", user, attributes=changed)
    if left is not None:
        _set_locked(caller, left, is_locked=True)
        memberships.apply(caller.participant_id, [left.pk, user.person_id], token=caller.name)
    _set_locked(caller, user.person, is_locked=not given.is_active)
    return user


def delete(caller: Caller, user: DirectoryUser) -> None:
    """Remove a user: the person is locked out, and what groups gave them ends. In the caller's transaction,
    which holds `lock_directory`."""
    person = user.person
    groups = list(DirectoryGroup.objects.filter(members__user=user).values_list("pk", flat=True))
    _record(caller, "directory-user-removed", user)
    user.delete()
    for group in DirectoryGroup.objects.filter(pk__in=groups):
        group.version += 1
        group.changed_at = timezone.now()
        group.save(update_fields=["version", "changed_at"])
    _set_locked(caller, person, is_locked=True)
    memberships.apply(caller.participant_id, [person.pk], token=caller.name)


def _set_locked(caller: Caller, person: Person, *, is_locked: bool) -> None:
    """Lock the person out of the caller's organisation, or lift the lock that a directory service made."""
    act = mailboxes.lock_out if is_locked else mailboxes.let_in
    act(None, person, caller.participant_id, is_by_directory=True, token=caller.name)


def _person_of(caller: Caller, given: UserAttributes) -> Person:
    with transaction.atomic():
        person, is_new = Person.add(given.identity, given.name[:256])
        if is_new:
            access_log.record(None, "person-added", caller.participant_id, person=person, token=caller.name)
    return person


def _check_unique(user: DirectoryUser, given: UserAttributes) -> None:
    others = DirectoryUser.objects.filter(participant_id=user.participant_id).exclude(pk=user.pk)
    name_hash = lookup_hash(user.participant_id, USER_NAME, given.texts[USER_NAME])
    if others.filter(user_name_hash=name_hash).exists():
        raise not_unique("Another user has this userName.")
    if others.filter(person__subject_key=subject_key(given.identity)).exists():
        raise not_unique("Another user is the same person.")


def _write(user: DirectoryUser, given: UserAttributes) -> None:
    user.attributes = dict(given.texts)
    user.is_active = given.is_active
    texts = given.texts
    participant_id = user.participant_id
    user.user_name_hash = lookup_hash(participant_id, USER_NAME, texts.get(USER_NAME, ""))
    user.external_id_hash = lookup_hash(participant_id, EXTERNAL_ID, texts.get(EXTERNAL_ID, ""))
    user.display_name_hash = lookup_hash(participant_id, DISPLAY_NAME, texts.get(DISPLAY_NAME, ""))


def _record(caller: Caller, what: str, user: DirectoryUser, **details: Any) -> None:
    access_log.record(None, what, caller.participant_id, person=user.person, token=caller.name, **details)


def check_version(resource: Any, if_match: str) -> None:
    """Raises `Refused` (412) where a request is about another version of the resource (RFC 7644 3.14)."""
    versions = {part.strip().removeprefix("W/").strip('"') for part in if_match.split(",") if part.strip()}
    if versions and "*" not in versions and str(resource.version) not in versions:
        raise Refused("The resource has changed.", status=HTTPStatus.PRECONDITION_FAILED)
