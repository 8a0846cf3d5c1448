"""Who looks and who writes: said by open pages, over when they are closed or silent."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.test import AsyncClient
from django.urls import reverse
from django.utils import timezone

from mailbox import events
from mailbox.conversations import presence
from mailbox.drafts import composer
from mailbox.live import stream as stream_view
from mailbox.live.hub import hub
from mailbox.models import Membership, Presence
from tests.mailbox.build import a_member, arrives, log_in
from tests.mailbox.live.reading import next_event


def others(conversation, person) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = presence.others_in(conversation, person)
    return found.looking, found.writing


@pytest.mark.django_db
def test_others_see_who_looks_and_who_writes_until_they_have_been_silent(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    message = arrives(mailbox)
    conversation, url = message.conversation, reverse("conversation", args=[message.conversation_id])
    log_in(client, karin)
    client.get(url)
    assert others(conversation, ahmed) == (("Karin",), ())
    assert others(conversation, karin) == ((), ()), "nobody is told of themselves"
    client.get(reverse("draft", args=[composer.begin_answer(message, karin).pk]))
    assert others(conversation, ahmed) == ((), ("Karin",))
    log_in(client, ahmed)
    page = client.get(url).content.decode()
    # Above the messages, and beside the button with which one would answer.
    assert page.count("Karin skriver ett svar") == 2
    button = page.index(f'action="{reverse("answer", args=[message.pk])}"')
    assert "Karin skriver ett svar" in page[button : page.index("</form>", button)]
    assert "Karin skriver" in client.get(reverse("presence", args=[conversation.pk])).content.decode()
    client.post(
        reverse("draft", args=[composer.begin_answer(message, karin).pk]), {"action": "save", "version": 0}
    )
    assert others(conversation, karin) == (("Ahmed",), ()), "who saves another's draft is not there by that"
    Presence.objects.filter(person=karin).update(wrote_at=timezone.now() - presence.EXPIRES)
    assert others(conversation, ahmed) == (("Karin",), ())
    Presence.objects.update(seen_at=timezone.now() - presence.EXPIRES)
    assert others(conversation, ahmed) == ((), ())


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["send", "discard-now"])
def test_who_has_sent_or_thrown_away_what_they_wrote_writes_no_more(mailbox, client, action):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    message = arrives(mailbox)
    draft = composer.begin_answer(message, karin)
    log_in(client, karin)
    content = composer.Content({"subject": "Svar", "text": "Hej"})
    draft = composer.save(draft.pk, draft.version, content, karin)
    url = reverse("draft", args=[draft.pk])
    client.get(url)
    assert others(message.conversation, ahmed) == ((), ("Karin",))
    if action == "send":
        url = reverse("check", args=[draft.pk])
        client.get(url)
        assert others(message.conversation, ahmed) == ((), ("Karin",))
    client.post(url, {"action": action, "version": draft.version, "confirmed": "on"})
    assert others(message.conversation, ahmed) == (("Karin",), ())


@pytest.mark.django_db
def test_who_is_no_member_any_more_is_not_shown(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    presence.mark_present(karin.pk, presence.Activity(conversation.pk, is_writing=False))
    Membership.objects.filter(person=karin).delete()
    assert others(conversation, ahmed) == ((), ())


@pytest.mark.django_db
def test_a_page_that_fetches_itself_again_is_nobody_coming(mailbox, client):
    """The stream says that its person is there; what it makes the page fetch does not."""
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    conversation = arrives(mailbox).conversation
    client.get(reverse("conversation", args=[conversation.pk]), headers={"X-Background": "1"})
    assert not Presence.objects.exists()


@pytest.mark.django_db
def test_a_page_that_is_closed_ends_only_what_it_said_itself(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    looking, writing = (
        presence.Activity(conversation.pk, is_writing=is_writing) for is_writing in (False, True)
    )
    wrote = presence.mark_present(karin.pk, writing)
    looked = presence.mark_present(karin.pk, looking)
    presence.mark_page_closed(karin.pk, writing, wrote)
    assert others(conversation, ahmed) == (("Karin",), ()), "her other page is open"
    presence.mark_page_closed(karin.pk, looking, looked)
    assert others(conversation, ahmed) == ((), ())


@pytest.mark.django_db
def test_only_coming_and_going_is_told_and_never_of_whom(mailbox, monkeypatch):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    told: list[str] = []
    monkeypatch.setattr(events, "_notify", told.append)
    looking, writing = (
        presence.Activity(conversation.pk, is_writing=is_writing) for is_writing in (False, True)
    )
    for _ in range(2):
        presence.mark_present(karin.pk, looking)
    assert told == [f"presence {conversation.pk}"]
    for _ in range(2):
        wrote = presence.mark_present(karin.pk, writing)
    assert told[1:] == [f"conversation {conversation.pk}"]
    presence.mark_page_closed(karin.pk, writing, wrote)
    assert told[2:] == [f"conversation {conversation.pk}", f"presence {conversation.pk}"]


@pytest.mark.django_db
def test_nobody_is_present_where_they_see_nothing(mailbox):
    message = arrives(mailbox)
    draft = composer.begin_answer(message, a_member("Karin", mailbox))
    shown = {
        "conversations": {message.conversation_id: mailbox.pk},
        "drafts": {draft.pk: (mailbox.pk, message.conversation_id), draft.pk + 1: (mailbox.pk, None)},
    }
    assert presence.visible_activities({mailbox.pk}, **shown) == {
        presence.Activity(message.conversation_id, False),
        presence.Activity(message.conversation_id, True),
    }
    assert presence.visible_activities({mailbox.pk + 1}, **shown) == set()
    assert presence.visible_activities({mailbox.pk}, conversations={}, drafts={}) == set()


@pytest.mark.django_db
def test_what_is_long_over_is_removed(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    for person in (karin, ahmed):
        presence.mark_present(person.pk, presence.Activity(conversation.pk, is_writing=False))
    Presence.objects.filter(person=karin).update(seen_at=timezone.now() - timedelta(days=2))
    assert presence.remove_expired() == 1
    assert Presence.objects.get().person == ahmed


@pytest.mark.django_db(transaction=True)
def test_a_stream_keeps_its_person_present_and_tells_when_others_go(mailbox, monkeypatch):
    monkeypatch.setattr(stream_view, "_HEARTBEAT_SECONDS", 1.2)
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    with transaction.atomic():
        conversation = arrives(mailbox).conversation
    client = AsyncClient()

    async def until(stream, wanted: bytes) -> bytes:
        """Reads on to what is wanted; what came before it."""
        passed = b""
        while wanted not in (found := await next_event(stream)):
            passed += found
        return passed

    async def until_begun(task: asyncio.Task) -> None:
        """The loop has come to it."""
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()

    async def story(stream) -> None:
        assert (await next_event(stream)).startswith(b"retry: ")
        assert b"changed" in await next_event(stream)
        assert await sync_to_async(others)(conversation, ahmed) == (("Karin",), ())
        # A sign of life: the listener has connected, and there is nothing to be told.
        await until(stream, b"event: here")
        at = await sync_to_async(presence.mark_present)(
            ahmed.pk, presence.Activity(conversation.pk, is_writing=False)
        )
        assert b"changed" not in await until(stream, b"event: presence")
        # Silence: hers is said again, his is over, and she is told to look.
        before = await sync_to_async(Presence.objects.get)(person=karin)
        await until(stream, b"event: here")
        renewed = await sync_to_async(Presence.objects.get)(person=karin)
        assert renewed.seen_at > before.seen_at
        await sync_to_async(Presence.objects.filter(person=ahmed, seen_at=at).update)(
            seen_at=timezone.now() - presence.EXPIRES
        )
        await until(stream, b"event: changed")
        # The browser goes: the server cancels whoever writes to it.
        reading = asyncio.ensure_future(until(stream, b"never"))
        await until_begun(reading)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not await sync_to_async(Presence.objects.filter(person=karin).exists)()

    async def told() -> None:
        await sync_to_async(client.force_login)(karin, backend="mailbox.accounts.login.EidBackend")
        response = await client.get(f"/handelser?conversation={conversation.pk}")
        try:
            await story(response.streaming_content.__aiter__())
        finally:
            hub._listener.cancel()
            await sync_to_async(lambda: connection.close())()

    asyncio.run(told())
