"""Messages that another message service has for us: delivered once, and deleted there when they are ours."""

import base64
import json
import uuid

import pytest
from django.utils import timezone

from mailbox.models import Attachment, Message
from transport.message_service.models import IncomingMessage, Organisation, QuarantinedFile
from transport.message_service.tracking import erasure, evidence
from transport.remote_message_service import arrivals, registration
from transport.remote_message_service.models import RemoteArrival, RemoteService

from .conftest import FUNCTION, ROOT
from .service import as_json

pytestmark = pytest.mark.django_db(transaction=True)
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
State = RemoteArrival.State


def fetched(small) -> RemoteArrival:
    small.poll()
    small.work()
    return RemoteArrival.objects.get()


def test_a_message_is_delivered_with_its_attachment_and_then_deleted_there(small, other, settings):
    letter = small.letter()
    other.add(letter)
    arrival = fetched(small)
    message = Message.objects.get()
    assert str(message.message_id) == letter["messageId"]
    assert message.subject == "Kallelse till möte"
    assert message.counterpart_participant == "0203:stor.se"
    assert [person["label"] for person in message.sender_persons] == ["Anna Andersson"]
    attachment = Attachment.objects.get()
    assert (attachment.name, attachment.size) == ("karta.pdf", len(b"%PDF-1.7 fika"))
    assert arrival.state == State.DELETED
    assert other.messages == {}
    incoming = IncomingMessage.objects.get()
    assert (incoming.state, incoming.is_by_api, incoming.is_accepted) == ("NEW", True, True)
    assert list(settings.SDK_WORK_DIR.iterdir()) == []
    assert evidence.evidence_of(small.organisation.participant_id, message.message_id, was_sent=False) == {}
    erasure.erase(small.organisation.participant_id, message.message_id, was_sent=False)


def test_one_token_serves_many_requests_and_a_new_one_is_asked_for_when_it_is_refused(small, other):
    other.add(small.letter())
    fetched(small)
    assert other.asked("POST", "/v1/token") == 1
    other.token = "another that we do not have"
    other.add(small.letter())
    small.poll()
    assert other.asked("POST", "/v1/token") == 2
    assert small.service.problem == ""


def test_a_token_that_ends_soon_is_not_used(small, other):
    small.poll()
    RemoteService.objects.update(token_until=timezone.now())
    small.poll()
    assert other.asked("POST", "/v1/token") == 2


def test_a_message_that_the_service_repeats_is_delivered_once(small, other):
    letter = small.letter()
    other.add(letter)
    other.forgets_to_delete = True
    fetched(small)
    small.poll()
    small.work()
    other.add(letter)
    small.poll()
    small.work()
    assert Message.objects.count() == 1
    other.forgets_to_delete = False
    small.poll()
    small.work()
    assert other.messages == {}
    assert Message.objects.count() == 1


def test_a_worker_that_dies_between_delivery_and_deletion_leaves_the_deletion_to_another(
    small, other, monkeypatch
):
    other.add(small.letter())
    small.poll()
    [claimed] = RemoteArrival.claim_due(1)
    arrivals.work_on([claimed])
    assert Message.objects.count() == 1
    assert len(other.messages) == 1, "not deleted before our commit"
    [second] = RemoteArrival.claim_due(1)
    assert second.state == State.DELIVERED
    # It is killed with its lease; the lease ends.
    RemoteArrival.objects.update(lease_until=timezone.now())
    small.work()
    assert Message.objects.count() == 1
    assert other.messages == {}


def test_a_worker_that_dies_while_it_fetches_changes_nothing(small, other):
    other.add(small.letter())
    small.poll()
    [claimed] = RemoteArrival.claim_due(1)
    RemoteArrival.objects.update(lease_until=timezone.now())
    small.work()
    assert Message.objects.count() == 1
    arrivals.work_on([claimed])
    assert Message.objects.count() == 1


def test_pages_are_followed_and_an_invalid_one_is_begun_anew(small, other):
    other.page_size = 2
    for _ in range(5):
        other.add(small.letter())
    refused = []

    def forget_once(method, path):
        if other.asked("GET", "/v1/sdk/messages") == 2 and not refused:
            refused.append(path)
            return as_json(400, {"title": "Bad Request"})
        return None

    other.intercept = forget_once
    small.poll()
    assert refused
    assert RemoteArrival.objects.count() == 5
    assert small.service.cursor == {}
    small.work()
    assert Message.objects.count() == 5


def test_a_cursor_of_an_interrupted_poll_is_gone_on_from(small, other):
    other.page_size = 2
    for _ in range(3):
        other.add(small.letter())
    RemoteService.objects.update(
        cursor={"question": f"in {FUNCTION}", "link": f"{other.url}/v1/sdk/messages?page[after]=2"}
    )
    small.poll()
    assert RemoteArrival.objects.count() == 1
    small.poll()
    assert RemoteArrival.objects.count() == 3


@pytest.mark.parametrize(
    ("next_link", "problem"),
    [
        ("https://127.0.0.2/v1/sdk/messages", "page-elsewhere"),
        ("/v1/sdk/messages?page[after]=0&again", "pages-repeat"),
        (17, "answer-invalid"),
    ],
)
def test_no_page_but_the_service_s_own_is_asked_for(small, other, next_link, problem):
    other.intercept = lambda method, path: (
        as_json(200, {"data": [], "links": {"next": next_link}}) if path.endswith("/messages") else None
    )
    small.poll()
    assert small.service.problem == problem


def test_a_service_that_is_busy_is_left_alone_for_as_long_as_it_asks(small, other):
    other.add(small.letter())
    small.poll()
    other.intercept = lambda method, path: (429, {"Retry-After": "120"}, b"")
    small.work()
    [waiting] = RemoteArrival.objects.all()
    assert 100 < (waiting.due_at - timezone.now()).total_seconds() <= 120
    assert waiting.problem == "busy"
    small.poll()
    service = small.service
    assert service.problem == "busy"
    assert 100 < (service.paused_until - timezone.now()).total_seconds() <= 120
    asked = len(other.requests)
    RemoteArrival.objects.update(due_at=timezone.now())
    small.work()
    assert len(other.requests) == asked, "nothing is asked meanwhile"
    other.intercept = lambda method, path: None
    small.later()
    small.work()
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((401, {}, b""), "token-refused"),
        ((500, {}, b"<html>"), "server-error"),
        ((200, {}, b"{"), "answer-invalid"),
        ((200, {}, b'{"access_token": "a\\u0000b"}'), "token-invalid"),
        ((200, {}, b'{"access_token": "x", "expires_in": true}'), "token-invalid"),
        ((302, {"Location": "https://elsewhere.example/"}, b""), "status-unexpected"),
    ],
)
def test_what_is_wrong_with_the_token_is_told_and_passes(small, other, answer, problem):
    other.intercept = lambda method, path: answer if path == "/v1/token" else None
    small.poll()
    service = small.service
    assert (service.problem, service.failures) == (problem, 1)
    assert service.problem_since
    small.poll()
    assert small.service.failures == 2
    other.intercept = lambda method, path: None
    small.poll()
    service = small.service
    assert (service.problem, service.failures, service.problem_since) == ("", 0, None)


def cut(answer: bytes, position: int) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Length": str(len(answer))}, answer[:position]


def test_half_an_attachment_is_not_delivered_and_the_whole_is_later(small, other):
    identity = other.add(small.letter())
    whole = as_json(200, {"data": other._whole(identity)})[2]
    other.intercept = lambda method, path: (
        cut(whole, len(whole) // 2) if method == "GET" and path.endswith(identity) else None
    )
    arrival = fetched(small)
    assert (arrival.state, arrival.problem) == (State.FOUND, "no-answer")
    assert not Message.objects.exists()
    assert len(other.messages) == 1
    other.intercept = lambda method, path: None
    small.later()
    small.work()
    assert Message.objects.count() == 1


def test_what_can_never_be_read_is_set_aside_and_stays_there(small, other):
    identity = other.add(small.letter())
    other.intercept = lambda method, path: (
        (200, {}, b'{"data": {') if method == "GET" and path.endswith(identity) else None
    )
    small.poll()
    for _ in range(5):
        small.later()
        small.work()
    arrival = RemoteArrival.objects.get()
    assert (arrival.state, arrival.problem) == (State.SET_ASIDE, "answer-invalid")
    assert list(arrivals.set_aside([small.organisation.participant_id])) == [arrival]
    assert len(other.messages) == 1
    small.poll()
    assert RemoteArrival.objects.get().state == State.SET_ASIDE, "the next poll does not begin it anew"
    other.intercept = lambda method, path: None
    assert arrivals.try_again(arrival.pk)
    assert not arrivals.try_again(arrival.pk)
    small.work()
    assert Message.objects.count() == 1


def attention(function: str) -> dict:
    return {"subOrganization": {"root": ROOT, "extension": function, "label": ""}}


def file_of(content: str, kind: str = "application/pdf") -> list[dict]:
    file = {"fileName": "a.pdf", "contentType": kind, "content": content}
    return [{"documentId": "d", "documentName": "D", "contentFiles": [file]}]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"recipient": "0203:nagon-annan.se"}, "another-recipient"),
        ({"recipientAttention": attention("sdk:annan:0203:liten.se")}, "function-not-bound"),
        ({"label": "\x01"}, "content-invalid"),
        ({"label": "x" * 257}, "answer-invalid"),
        ({"conversationId": "ingen"}, "answer-invalid"),
        ({"creationDateTime": "2018-09-12T15:06:00Z2023-"}, "content-invalid"),
        ({"digitalDocument": file_of("aGVq" + "a")}, "content-invalid"),
        ({"digitalDocument": file_of("aGVq", "application/x-msdownload")}, "content-invalid"),
        ({"digitalDocument": file_of(base64.b64encode(EICAR).decode())}, "malware-found"),
        ({"sender": "ingen deltagare"}, "answer-invalid"),
    ],
)
def test_a_message_that_is_not_ours_or_breaks_the_rules_is_set_aside(small, other, changes, problem):
    identity = other.add(small.letter())
    listed = as_json(200, {"data": [other._head(identity)]})
    other.messages[identity]["attributes"] |= changes
    other.intercept = lambda method, path: listed if method == "GET" and path.endswith("/messages") else None
    small.poll()
    for _ in range(5):
        small.later()
        small.work()
    arrival = RemoteArrival.objects.get()
    assert (arrival.state, arrival.problem) == (State.SET_ASIDE, problem)
    assert not Message.objects.exists()
    assert not IncomingMessage.objects.exists()
    assert len(other.messages) == 1, "the service keeps it"
    assert QuarantinedFile.objects.count() == (problem == "malware-found")


def test_another_message_than_was_listed_is_set_aside(small, other):
    listed, given = other.add(small.letter()), other.add(small.letter(), status="SCHEDULED")
    liar = as_json(200, {"data": other._whole(given)})
    other.intercept = lambda method, path: liar if path.endswith(listed) else None
    arrival = fetched(small)
    assert (arrival.state, arrival.problem) == (State.SET_ASIDE, "another-message")


def test_a_message_by_an_id_that_another_sender_has_used_is_set_aside(small, other):
    letter = small.letter()
    other.add(letter)
    fetched(small)
    other.add({**letter, "sender": "0203:en-tredje.se"})
    small.poll()
    small.work()
    assert Message.objects.count() == 1
    assert RemoteArrival.objects.get(state=State.SET_ASIDE).problem == "message-id-used"


def test_a_function_without_an_open_mailbox_gets_nothing_and_loses_nothing(small, other):
    other.add(small.letter())
    small.mailbox.is_open = False
    small.mailbox.save()
    arrival = fetched(small)
    assert (arrival.state, arrival.problem) == (State.SET_ASIDE, "function-not-served")
    small.mailbox.is_open = True
    small.mailbox.save()
    arrivals.try_again(arrival.pk)
    small.work()
    assert Message.objects.count() == 1


def test_what_is_unreadable_in_a_list_does_not_hold_up_the_rest(small, other):
    identity = other.add(small.letter())
    rest = [
        None,
        {"id": "x"},
        {"id": str(uuid.uuid4()), "attributes": {"messageStatus": 5, "messageId": "\0"}},
    ]
    page = as_json(200, {"data": [*rest, other._head(identity)]})
    other.intercept = lambda method, path: page if path.endswith("/messages") else None
    small.poll()
    small.work()
    assert Message.objects.count() == 1
    assert small.service.problem == "answer-invalid"


def test_all_functions_of_an_organisation_may_use_a_service(small, other):
    registration.bind(small.service, [], has_all=True)
    registration.turn_on(small.service)
    other.add(small.letter())
    fetched(small)
    assert Message.objects.count() == 1


def test_a_service_that_is_turned_off_is_not_asked(small, other):
    other.add(small.letter())
    small.poll()
    registration.turn_off(small.service)
    asked = len(other.requests)
    small.poll()
    small.work()
    assert len(other.requests) == asked
    registration.turn_on(small.service)
    small.work()
    assert Message.objects.count() == 1


def test_the_private_key_and_the_token_are_sealed(small):
    small.poll()
    raw = RemoteService.objects.values_list("private_key", "access_token").get()
    assert "PRIVATE" not in json.dumps([value.text for value in raw])


def test_no_other_service_can_have_the_same_function(small, other):
    values = {"address": other.url, "token_address": other.url, "client_id": "b"}
    second = registration.register(small.organisation, "Den andra", **values)
    with pytest.raises(registration.NotRegistered, match="function-taken"):
        registration.bind(second, [FUNCTION])
    elsewhere = Organisation.objects.create(participant_id="0203:en-annan.se", name="En annan")
    third = registration.register(elsewhere, "Den tredje", **values)
    registration.bind(third, [FUNCTION])


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "ftp://x"},
        {"token_address": "https://user:secret@x.example"},
        {"address": "https://x.example/" + "a" * 500},
        {"authorities": "not PEM"},
    ],
)
def test_an_address_or_authority_that_cannot_be_used_is_refused(small, other, changes):
    values = {"address": other.url, "token_address": other.url, "client_id": "b", "authorities": ""}
    with pytest.raises(registration.NotRegistered):
        registration.register(small.organisation, "Den andra", **{**values, **changes})


def test_a_trial_says_which_step_fails(small, other):
    assert [(tried.step, tried.problem) for tried in registration.try_out(small.service)] == [
        ("token", ""),
        ("list", ""),
    ]
    other.intercept = lambda method, path: (403, {}, b"") if path.endswith("/messages") else None
    assert registration.try_out(small.service)[-1].problem == "not-allowed"
    other.intercept = lambda method, path: (401, {}, b"") if path.endswith("/token") else None
    assert [tried.problem for tried in registration.try_out(small.service)] == ["token-refused"]
