"""A client of another maker sends, polls, fetches and deletes (B1.4.2), over HTTP and AS4 for real."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from mailbox.models import Message as MailboxMessage
from sdkportal.message_clients import RoutedClients
from tests.transport.protocol.build import NOON
from tests.world import work_is_clean
from transport.message_api.clients.routing import set_route
from transport.message_api.models import FunctionRoute, HeldMessage
from transport.message_service.client_port import Delivered
from transport.message_service.models import OutgoingMessage
from transport.message_service.tracking import deadlines, evidence
from transport.protocol.sdk_message.message import BytesContent, File

from .client import a_file, a_letter

pytestmark = pytest.mark.xdist_group("federation-clients")


def letter(world, **changes) -> dict:
    return a_letter(
        world.sender.participant.value,
        world.sender.mailbox.address,
        world.recipient.participant.value,
        world.recipient.mailbox.address,
        **changes,
    )


def identity_of(answer) -> str:
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def codes(message) -> list[str]:
    return [issue["typeCode"] for issue in message["attributes"]["events"]["eventIssues"]]


def arrive(world, **changes) -> str:
    message_id, envelope = world.sealed(world.message(**changes))
    world.transfer(envelope)
    return message_id


def test_a_message_is_sent_polled_fetched_and_deleted_by_clients_of_both_sides(
    api, sender, recipient, settings
):
    sent = letter(api)
    answer = sender.send(**sent)
    identity = identity_of(answer)
    assert answer.headers["Location"] == f"/v1/sdk/messages/{identity}"
    assert sender.status(identity) == "SCHEDULED"
    api.pump()
    assert sender.status(identity) == "ACCEPTED"

    assert recipient.found(messageStatus="NEW") == [identity]
    message = recipient.get(identity).json()["data"]
    told = message["attributes"]
    assert message["id"] == told["messageId"] == identity
    for name in ("sender", "recipient", "label", "confidentiality", "digitalDocument"):
        assert told[name] == sent[name], name
    assert told["senderAttention"] == sent["senderAttention"]
    assert told["recipientAttention"] == sent["recipientAttention"]
    assert base64.b64decode(told["digitalDocument"][0]["contentFiles"][0]["content"]) == b"%PDF-1.7 fika"
    assert not MailboxMessage.objects.exists(), "the built-in client has no part in it"

    for client in (recipient, sender):
        assert client.delete(identity).status_code == 202
        assert client.get(identity).status_code == 404
        assert client.delete(identity).status_code == 404
        assert client.found() == []
    kept = [path.name for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert not HeldMessage.objects.exists()
    assert not [name for name in kept if name.startswith(identity) or name.endswith(".json")]
    row = OutgoingMessage.objects.get(message_id=identity)
    assert (row.payload_name, row.envelope_name) == ("", "")
    assert row.message_receipt_name, "what proves the exchange stays"
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_the_list_never_has_documents_and_both_answers_have_the_contract_s_form(api, sender):
    identity = identity_of(sender.send(**letter(api)))
    listed = sender.find().json()
    assert listed["meta"] == {"version": "sdk api 1.0.0"}
    assert listed["links"] == {"self": "/v1/sdk/messages"}
    assert [item["type"] for item in listed["data"]] == ["messages"]
    assert "digitalDocument" not in listed["data"][0]["attributes"]
    one = sender.get(identity).json()
    assert one["links"] == {"self": f"/v1/sdk/messages/{identity}"}
    documents = one["data"]["attributes"].pop("digitalDocument")
    assert documents[0]["contentTextBody"] == ["Välkommen på **fredag**"]
    assert one["data"] == listed["data"][0]


def test_what_happened_is_told_with_the_latest_first(api, sender, recipient):
    identity = identity_of(sender.send(**letter(api)))
    api.pump()
    sent, arrived = (client.get(identity).json()["data"] for client in (sender, recipient))
    assert codes(sent) == ["ACCEPTED", "WAITING_FOR_RECEIPT", "ACKNOWLEDGE", "SUBMITTED", "SCHEDULED"]
    assert codes(arrived) == ["NEW", "RECEIPT_SENT", "RETRIEVED"]
    events = sent["attributes"]["events"]
    times = [issue["dateTime"] for issue in events["eventIssues"]]
    assert times == sorted(times, reverse=True)
    assert events["type"] == "urn:event-type:sdk:message"
    assert events["title"] == events["detail"] == "ACCEPTED"
    assert events["instance"] == f"urn:uuid:{identity}"


def test_a_rejected_message_ends_as_an_exchange_error_with_the_receipt_s_words(api, sender):
    identity = identity_of(sender.send(**letter(api, recipientAttention=to_function("finns-inte"))))
    api.pump()
    told = sender.get(identity).json()["data"]
    assert told["attributes"]["messageStatus"] == "MESSAGE_EXCHANGE_ERROR"
    assert codes(told)[:3] == ["MESSAGE_EXCHANGE_ERROR", "BV", "REJECTED"]
    reason = told["attributes"]["events"]["eventIssues"][1]
    assert reason["title"] == "not-found"
    assert reason["detail"] == "Wrong or unknown tns:subOrganization/tns:organizationId"
    assert reason["in"].endswith("tns:organizationId")
    assert sender.found(messageStatus="REJECTED") == sender.found(messageStatus="MESSAGE_EXCHANGE_ERROR")
    assert sender.delete(identity).status_code == 202


def to_function(address: str) -> dict:
    return {"subOrganization": {"extension": address}}


def test_a_receipt_that_is_missing_is_an_exchange_error_until_it_comes(api, sender):
    identity = identity_of(sender.send(**letter(api)))
    row = OutgoingMessage.objects.get()
    OutgoingMessage.objects.update(
        state="WAITING_FOR_RECEIPT", due_at=None, receipt_due_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    assert sender.status(identity) == "WAITING_FOR_RECEIPT"
    assert sender.delete(identity).status_code == 400, "its status is not final"
    deadlines.mark_overdue()
    told = sender.get(identity).json()["data"]
    assert told["attributes"]["messageStatus"] == "MESSAGE_EXCHANGE_ERROR"
    assert "receipt" in told["attributes"]["events"]["eventIssues"][0]["title"]
    assert sender.found(messageStatus="WAITING_FOR_RECEIPT") == []
    row.refresh_from_db()
    row.state, row.message_receipt_at = "ACCEPTED", datetime.now(UTC)
    row.save()
    assert sender.status(identity) == "ACCEPTED"


def test_filters_are_combined(api, sender, recipient):
    first = identity_of(sender.send(**letter(api, creationDateTime="2026-11-24T08:00:00Z")))
    second = identity_of(sender.send(**letter(api, creationDateTime="2026-11-24T10:00:00.500Z")))
    third = identity_of(sender.send(**letter(api, recipientAttention=to_function("en-annan"))))
    api.pump()
    here, there = api.sender.mailbox.address, api.recipient.mailbox.address
    to, of = "recipientAttention__subOrganization__extension", "senderAttention__subOrganization__extension"
    assert sender.found() == [first, second, third]
    assert sender.found(**{to: there}) == [first, second]
    assert sender.found(**{of: here, to: "en-annan"}) == [third]
    assert sender.found(**{of: there}) == []
    assert sender.found(**{to: f"”{there}”", "creationDateTimeStart": "2026-11-24T09:00:00Z"}) == [second]
    assert sender.found(**{to: there, "creationDateTimeStop": "2026-11-24T09:00:00Z"}) == [first]
    window = {"creationDateTimeStart": "2026-11-24T07:00:00Z", "creationDateTimeStop": "2026-11-24T08:00:00Z"}
    assert sender.found(**window, messageStatus="ACCEPTED") == [first]
    assert sender.found(**window, messageStatus="MESSAGE_EXCHANGE_ERROR") == []
    assert recipient.found(messageStatus="NEW", **{of: here}) == [first, second]
    both = sender.find(("filter[messageStatus]", "ACCEPTED"), ("filter[messageStatus]", "REJECTED"))
    assert [item["id"] for item in both.json()["data"]] == [first, second, third]


def test_a_filter_that_is_not_understood_is_refused_and_told_where(api, sender):
    for name, value in {
        "messageStatus": "GONE",
        "creationDateTimeStart": "i går",
        "creationDateTimeStop": "2026-11-24T09:00:00+01:00",
        "label": "Kallelse",
    }.items():
        answer = sender.find(**{name: value})
        assert answer.status_code == 400, name
        problem = answer.json()
        assert problem["type"] == "urn:problem-type:sdk:badRequest"
        assert problem["status"] == 400
        assert value not in answer.text
        assert problem["eventIssues"][0]["typeCode"] == "MESSAGE_EXCHANGE_ERROR"


def test_a_long_list_comes_in_pages_by_key(api, sender):
    sent = [identity_of(sender.send(**letter(api))) for _ in range(5)]
    answer = sender.find(("page[size]", "2")).json()
    pages = [answer]
    while "next" in pages[-1]["links"]:
        path = pages[-1]["links"]["next"]
        pages.append(sender.http.get(sender.base.removesuffix("/v1") + path, timeout=30).json())
    assert [[item["id"] for item in page["data"]] for page in pages] == [sent[:2], sent[2:4], sent[4:]]
    assert sender.find(("page[size]", "0")).status_code == 400
    assert sender.find(("page[after]", "x|y")).status_code == 400


def test_texts_and_files_can_be_left_out_of_a_message(api, recipient):
    identity = arrive(api, files=(File("a.pdf", "application/pdf", BytesContent(b"%PDF")),), text="Hej då")
    whole = recipient.get(identity).json()["data"]["attributes"]["digitalDocument"][0]
    without_files = recipient.get(identity, contentFiles="false").json()["data"]["attributes"]
    without_texts = recipient.get(identity, contentBodyText="false").json()["data"]["attributes"]
    neither = recipient.get(identity, contentBodyText="false", contentFiles="false").json()
    assert whole["contentTextBody"] == ["Hej då"]
    assert without_files["digitalDocument"][0]["contentTextBody"] == ["Hej då"]
    assert "contentFiles" not in without_files["digitalDocument"][0]
    assert without_texts["digitalDocument"][0]["contentFiles"] == whole["contentFiles"]
    assert "contentTextBody" not in without_texts["digitalDocument"][0]
    assert set(neither["data"]["attributes"]["digitalDocument"][0]) == {
        "documentName",
        "documentId",
        "index",
    }


def test_a_message_that_came_by_as4_lacks_nothing_that_the_contract_requires(api, recipient):
    identity = arrive(api, created_at=NOON)
    told = recipient.get(identity).json()["data"]["attributes"]
    assert told["creationDateTime"] == "2026-11-24T12:00:00.123Z"
    assert told["conversationId"] == identity
    person = told["senderAttention"]["attentionPerson"][0]
    assert set(person) == {"root", "extension", "label"}


def test_a_message_can_only_be_deleted_when_its_status_is_final(api, sender):
    identity = identity_of(sender.send(**letter(api)))
    refused = sender.delete(identity)
    assert refused.status_code == 400
    assert refused.json()["eventIssues"][0]["detail"] == "SCHEDULED"
    assert sender.status(identity) == "SCHEDULED"


def test_ids_that_a_client_gives_are_kept_and_sending_again_is_refused(api, sender):
    message_id, conversation, resource = (str(uuid.uuid4()) for _ in range(3))
    attributes = letter(api, messageId=message_id, conversationId=conversation, refToMessageId=message_id)
    body = {"data": {"type": "messages", "id": resource, "attributes": attributes}}
    answer = sender.post(body)
    assert identity_of(answer) == resource
    told = sender.get(resource).json()["data"]
    assert (told["id"], told["attributes"]["messageId"]) == (resource, message_id)
    assert told["attributes"]["conversationId"] == conversation
    assert told["attributes"]["refToMessageId"] == message_id
    assert sender.get(message_id).json()["data"]["id"] == resource
    again = sender.post(body)
    assert again.status_code == 400
    assert OutgoingMessage.objects.count() == 1


def test_a_function_of_both_clients_is_delivered_to_both_and_deleted_for_one(api, recipient):
    set_route(api.recipient.organisation, api.recipient.mailbox.address, FunctionRoute.To.BOTH)
    identity = arrive(api)
    assert MailboxMessage.objects.filter(message_id=identity, direction="in").count() == 1
    assert recipient.delete(identity).status_code == 202
    assert recipient.get(identity).status_code == 404
    assert MailboxMessage.objects.filter(message_id=identity, direction="in").count() == 1
    pieces = evidence.evidence_of(api.recipient.participant.value, uuid.UUID(identity), was_sent=False)
    with pieces[evidence.Kind.ENVELOPE].open() as envelope:
        assert envelope.read(4), "the built-in client's evidence is not the other's to delete"


def test_external_clients_of_the_same_function_share_what_is_held(api, register):
    first, second = register(api.recipient), register(api.recipient)
    for client in (first, second):
        client.log_in()
    identity = arrive(api)
    assert first.found() == second.found() == [identity]
    assert first.delete(identity).status_code == 202
    assert second.found() == []
    assert second.get(identity).status_code == 404


def test_a_function_of_the_built_in_client_is_not_seen_by_an_external_one(api, recipient):
    set_route(api.recipient.organisation, api.recipient.mailbox.address, FunctionRoute.To.BUILT_IN)
    identity = arrive(api)
    assert recipient.found() == []
    assert MailboxMessage.objects.filter(message_id=identity).count() == 1


def test_an_external_function_needs_no_mailbox_and_an_unknown_one_is_still_refused(api, register):
    set_route(api.recipient.organisation, "sdk:journal", FunctionRoute.To.EXTERNAL)
    client = register(api.recipient, "sdk:jour*")
    client.log_in()
    message_id, envelope = api.sealed(api.message(recipient_function="sdk:journal"), handling="sdk:journal")
    api.transfer(envelope)
    refused, envelope = api.sealed(api.message(recipient_function="sdk:ingen"), handling="sdk:ingen")
    api.transfer(envelope)
    assert client.found() == [message_id]
    assert api.answer_to(refused).code == "REJECTED"


def test_the_same_delivery_again_changes_nothing(api, recipient):
    message = api.message()
    message_id, envelope = api.sealed(message)
    api.transfer(envelope)
    there = api.recipient.participant.value
    RoutedClients().deliver([Delivered(there, message, api.sender.participant.value, timezone.now())])
    assert recipient.found() == [message_id]


def test_what_one_organisation_sends_itself_is_held_twice_under_two_ids(api, register):
    set_route(api.sender.organisation, api.sender.mailbox.address, FunctionRoute.To.EXTERNAL)
    client = register(api.sender)
    client.log_in()
    here = (api.sender.participant.value, api.sender.mailbox.address)
    identity = identity_of(client.send(**a_letter(*here, *here)))
    api.pump()
    listed = {item["id"]: item["attributes"]["messageStatus"] for item in client.find().json()["data"]}
    assert listed.pop(identity) == "ACCEPTED"
    assert list(listed.values()) == ["NEW"]


def test_organisations_of_one_node_reach_each_other_s_external_clients_inside_it(api, sender, recipient):
    for party in (api.sender, api.recipient):
        organisation = party.organisation
        organisation.goes_out_and_back = False
        organisation.save()
    identity = identity_of(sender.send(**letter(api)))
    api.pump()
    assert (sender.status(identity), recipient.status(identity)) == ("ACCEPTED", "NEW")
    assert recipient.delete(identity).status_code == sender.delete(identity).status_code == 202


def test_what_nobody_serves_goes_to_an_external_function_that_stands_in(api, recipient, monkeypatch):
    there = api.recipient.mailbox.address
    monkeypatch.setattr("mailbox.delivery.client.BuiltInClient.stand_ins", lambda *_: [there])
    identity, envelope = api.sealed(api.message(recipient_function="sdk:stangd"), handling="sdk:stangd")
    api.transfer(envelope)
    told = recipient.get(identity).json()["data"]["attributes"]
    assert told["recipientAttention"]["subOrganization"]["extension"] == "sdk:stangd"
    assert recipient.found(messageStatus="NEW") == [identity]


def test_large_texts_and_escaped_base64_arrive_as_they_were(api, sender, recipient):
    text = 'Räksmörgås "citat" \\ \n' * 3000
    content = bytes(range(256)) * 400
    attributes = letter(api)
    attributes["digitalDocument"][0] |= {"contentTextBody": [text], "contentFiles": [a_file(content)]}
    body = json.dumps({"data": {"attributes": attributes}}).replace("/", "\\/").encode()
    identity = identity_of(sender.post(body))
    api.pump()
    document = recipient.get(identity).json()["data"]["attributes"]["digitalDocument"][0]
    assert document["contentTextBody"] == [text]
    assert base64.b64decode(document["contentFiles"][0]["content"]) == content
