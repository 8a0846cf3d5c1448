"""The address book of the test federation: a read-only JSON:API."""

import hashlib
import math
import uuid
from typing import Any

from flask import Blueprint, Response, jsonify, request

from .register import Register

_PAGE_SIZE = 25
_CODE_SYSTEMS = (("1.2.752.29.100.1", "kategori"), ("1.2.752.29.100.2", "sökord"))


def address_book(register: Register) -> Blueprint:
    """The collections `organizations`, `addresses` and `codesystems`, in pages."""
    blueprint = Blueprint("addressbook", __name__, url_prefix="/addressbook/api")

    @blueprint.get("/organizations")
    def organizations() -> Response:
        return _page(
            [
                _organisation(participant, entry)
                for participant, entry in register.entries("participants").items()
            ]
        )

    @blueprint.get("/addresses")
    def addresses() -> Response:
        found = [
            _address(participant, function)
            for participant, entry in register.entries("participants").items()
            for function in entry["functions"]
        ]
        return _page(found)

    @blueprint.get("/codesystems")
    def codesystems() -> Response:
        wanted = request.args.get("filter[id]"), request.args.get("filter[name]")
        found = [
            {"type": "codesystems", "id": oid, "attributes": {"name": name}}
            for oid, name in _CODE_SYSTEMS
            if wanted[0] in (None, oid) and wanted[1] in (None, name)
        ]
        return _page(found)

    return blueprint


def _organisation(participant: str, entry: dict[str, Any]) -> dict[str, Any]:
    number = int(hashlib.sha256(participant.encode()).hexdigest(), 16) % 10**8
    return {
        "type": "organizations",
        "id": _identity(participant),
        "attributes": {
            "participantIdentifier": participant,
            "organizationNumber": f"21{number:08d}",
            "name": entry["name"],
            "countryCode": "SE",
            "type": "O",
            "addedLater": {"an": "attribute that clients do not know"},
        },
    }


def _address(participant: str, function: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "addresses",
        "id": _identity(participant + " " + function["identifier"]),
        "attributes": {
            "name": function["name"],
            "identifier": function["identifier"],
            "description": function["description"],
            "categories": list(function["categories"]),
            "searchWords": list(function["search_words"]),
        },
        "relationships": {"parent": {"data": {"type": "organizations", "id": _identity(participant)}}},
    }


def _page(entries: list[dict[str, Any]]) -> Response:
    size = min(max(request.args.get("page[size]", _PAGE_SIZE, type=int), 1), _PAGE_SIZE)
    number = max(request.args.get("page[number]", 1, type=int), 1)
    last = max(math.ceil(len(entries) / size), 1)
    links = {"self": f"{request.base_url}?page[number]={number}&page[size]={size}"}
    if number < last:
        links["next"] = f"{request.base_url}?page[number]={number + 1}&page[size]={size}"
    data = entries[(number - 1) * size : number * size]
    return jsonify({"meta": {"totalPages": last, "totalItems": len(entries)}, "links": links, "data": data})


def _identity(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))
