"""The service's own OpenAPI document says what the official contract says, and can be read as a page."""

import pytest
import yaml
from django.test import Client

pytestmark = pytest.mark.django_db
NAMES = {
    "messageCreateAttributesDef": "NewAttributes",
    "messageAttributesDef": "MessageAttributes",
    "messageDef": "MessageData",
    "messageCreateDef": "NewData",
    "createMessage": "NewMessage",
    "outputData": "OneMessage",
    "outputArrayData": "Messages",
    "DigitalDocumentDef": "DigitalDocument",
    "contentFileDef": "ContentFile",
    "personDef": "Labelled",
    "referenceDef": "Labelled",
    "recipientAttentionDef": "Attention",
    "senderAttentionDef": "Attention",
    "generatingSystemDef": "GeneratingSystem",
    "Events": "Events",
    "EventDef": "Events",
    "Issue": "Issue",
}


@pytest.fixture
def document() -> dict:
    answer = Client().get("/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_the_document_has_the_contract_s_operations_answers_and_objects(shared, document):
    contract = yaml.safe_load((shared / "schemas" / "sdk-api-restful.yml").read_text())
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            ours = document["paths"][path][method]
            assert ours["operationId"] == operation["operationId"]
            # That nothing was found is an empty list here.
            assert set(ours["responses"]) >= set(operation["responses"]) - (
                {"404"} if path == "/sdk/messages" else set()
            )
    schemas = document["components"]["schemas"]
    for theirs, ours in NAMES.items():
        schema = contract["components"]["schemas"][theirs]
        assert set(schemas[ours]["properties"]) >= set(schema.get("properties", {})), theirs
        assert set(schemas[ours].get("required", ())) >= set(schema.get("required", ())), theirs
    assert set(flow_of(contract)["scopes"]) == set(flow_of(document)["scopes"])


def flow_of(document: dict) -> dict:
    return document["components"]["securitySchemes"]["message_auth"]["flows"]["clientCredentials"]


def test_every_operation_names_its_scope_and_the_token_endpoint(document, settings):
    scopes = {
        operation["operationId"]: operation["security"][0]["message_auth"]
        for item in document["paths"].values()
        for operation in item.values()
    }
    assert scopes == {
        "sendMessage": ["urn:sdk.api:sendMessages"],
        "getMessageByFilter": ["urn:sdk.api:getMessageByFilter"],
        "getMessageById": ["urn:sdk.api:getMessage"],
        "deleteMessageById": ["urn:sdk.api:deleteMessage"],
    }
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    told = Client().get("/v1/openapi.json").json()
    assert told["servers"] == [{"url": "https://sdk.habo.se/v1"}]
    assert flow_of(told)["tokenUrl"] == "https://sdk.habo.se/v1/token"


def test_the_page_tells_all_that_the_document_does(document):
    answer = Client().get("/v1/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<script>" not in page
    assert " style=" not in page
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"{method.upper()} {path}" in page
            assert operation["summary"] in page
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in page
    for name, schema in document["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert f'id="object-{name}"' in page
            for member in schema["properties"]:
                assert f'<td class="code">{member}</td>' in page
