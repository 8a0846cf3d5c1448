"""The descriptive metadata of an E-ARK package, by CITS ERMS 2.1 (Riksarkivet: FGS Ärendehantering 2.0).

The conversation is an aggregation: a case file if it is registered, else a conversation. Each message is a
record in it, with its attachments. Elements come in the order of the schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from django.utils.translation import gettext as _

from mailbox.models import Message, Registration

from ..conversation_record import utc_text
from ..export import Export
from ..xml_writing import XSI, Writer, as_bytes

ERMS: Final = "https://DILCIS.eu/XML/ERMS"
_SCHEMA_LOCATION: Final = f"{ERMS} https://citserms.dilcis.eu/schema/ERMS.xsd"
_WRITER: Final = Writer(ERMS)
_PARTICIPANT: Final = "SDK participant identifier"


def erms_document(
    export: Export, package_identifier: str, attachments: Mapping[UUID, Sequence[tuple[str, str]]]
) -> bytes:
    """The document. `attachments` has the name and the path in the package of each attachment of a message,
    by the message's id."""
    root = _WRITER.root("erms", {None: ERMS})
    root.set(f"{{{XSI}}}schemaLocation", _SCHEMA_LOCATION)
    _add_control(root, export, package_identifier)
    _add_aggregation(_WRITER.add(root, "aggregations"), export, attachments)
    return as_bytes(root)


def _add_control(root: Any, export: Export, package_identifier: str) -> None:
    control = _WRITER.add(root, "control")
    _WRITER.add(control, "identification", package_identifier, identificationType="package")
    maintenance = _WRITER.add(control, "maintenanceInformation")
    _WRITER.add(maintenance, "maintenanceStatus", value="new")
    agency = _WRITER.add(maintenance, "maintenanceAgency")
    participant = export.conversation.mailbox.participant_id
    _WRITER.add(agency, "otherAgencyCode", participant, type=_PARTICIPANT)
    _WRITER.add(agency, "agencyName", export.organisation)
    event = _WRITER.add(_WRITER.add(maintenance, "maintenanceHistory"), "maintenanceEvent")
    _WRITER.add(event, "eventType", value="created")
    _WRITER.add(event, "eventDateTime", utc_text(export.made_at))
    _add_agent(event, "creator", export.made_by)


def _add_aggregation(
    parent: Any, export: Export, attachments: Mapping[UUID, Sequence[tuple[str, str]]]
) -> None:
    conversation = export.conversation
    identifier = str(conversation.conversation_id)
    case_numbers = _case_numbers(export.registrations)
    if case_numbers:
        aggregation = _WRITER.add(
            parent, "aggregation", systemIdentifier=identifier, aggregationType="caseFile"
        )
    else:
        aggregation = _WRITER.add(
            parent,
            "aggregation",
            systemIdentifier=identifier,
            aggregationType="own_aggregation_definition",
            otherAggregationType="conversation",
        )
    _WRITER.add(aggregation, "objectId", case_numbers[-1] if case_numbers else identifier)
    for number in case_numbers[:-1]:
        _WRITER.add(aggregation, "extraId", number, extraIdType="case number")
    _WRITER.add(aggregation, "extraId", identifier, extraIdType="SDK conversation id")
    _WRITER.add(aggregation, "title", conversation.subject or _("Utan ämne"))
    if conversation.is_confidential:
        _add_restriction(aggregation)
    agents = _WRITER.add(aggregation, "agents")
    mailbox = conversation.mailbox
    _add_agent(
        agents, "owner", export.organisation, unit=mailbox.name, number=(_PARTICIPANT, mailbox.participant_id)
    )
    for registration in export.registrations:
        _add_registration(aggregation, registration)
    for position, message in enumerate(export.messages, 1):
        _add_record(aggregation, export, position, message, attachments.get(message.message_id, ()))


def _case_numbers(registrations: Sequence[Registration]) -> list[str]:
    """The case numbers that hold, each once, in the order of their latest registrations."""
    numbers: dict[str, None] = {}
    for row in registrations:
        if row.kind == Registration.Kind.CASE and row.ended_at is None:
            numbers.pop(row.case_number, None)
            numbers[row.case_number] = None
    return list(numbers)


def _add_registration(aggregation: Any, row: Registration) -> None:
    """The registration as an action, also one that was corrected or withdrawn since."""
    action = _WRITER.add(aggregation, "action")
    if row.kind == Registration.Kind.CASE:
        text = _("Registrerat som %(number)s") % {"number": row.case_number}
    else:
        text = _("Ringa betydelse")
    _WRITER.add(action, "actionText", text)
    if row.retention_basis:
        _WRITER.add(action, "actionDue", row.retention_basis)
    if row.reason:
        _WRITER.add(action, "actionMotivation", row.reason)
    _WRITER.add(action, "actionType", "registration")
    dates = _WRITER.add(action, "dates")
    _WRITER.add(dates, "actionDate", utc_text(row.at), dateType="other", otherDateType="registered")
    if row.ended_at is not None:
        _WRITER.add(dates, "actionDate", utc_text(row.ended_at), dateType="other", otherDateType=row.outcome)
    _add_agent(_WRITER.add(action, "agents"), "administrator", row.by.name)


def _add_record(
    aggregation: Any,
    export: Export,
    position: int,
    message: Message,
    attachments: Sequence[tuple[str, str]],
) -> None:
    was_sent = message.direction == Message.Direction.OUT
    record = _WRITER.add(
        aggregation, "record", systemIdentifier=str(message.message_id), recordType="message"
    )
    _WRITER.add(record, "objectId", str(message.message_id))
    for references, kind in (
        (message.sender_references, "sender's reference"),
        (message.recipient_references, "recipient's reference"),
    ):
        for reference in references:
            if reference["value"]:
                _WRITER.add(record, "identification", str(reference["value"]), identificationType=kind)
    _WRITER.add(record, "title", message.subject or _("Utan ämne"))
    _WRITER.add(record, "runningNumber", str(position))
    if message.ref_to_message_id:
        _WRITER.add(record, "relation", str(message.ref_to_message_id), relationType="reference")
    if message.is_confidential:
        _add_restriction(record)
    _WRITER.add(record, "direction", directionDefinition="outgoing" if was_sent else "incoming")
    _add_parties(record, export, message, was_sent=was_sent)
    dates = _WRITER.add(record, "dates")
    _WRITER.add(dates, "date", utc_text(message.at), dateType="sent" if was_sent else "received")
    if attachments:
        more = _WRITER.add(record, "additionalInformation")
        for name, path in attachments:
            _WRITER.add(more, "appendix", name=name, path=quote(path))


def _add_parties(record: Any, export: Export, message: Message, *, was_sent: bool) -> None:
    agents = _WRITER.add(record, "agents")
    mailbox = export.conversation.mailbox
    _add_agent(
        agents,
        "sender" if was_sent else "receiver",
        export.organisation,
        unit=mailbox.name,
        number=(_PARTICIPANT, mailbox.participant_id),
    )
    _add_agent(
        agents,
        "receiver" if was_sent else "sender",
        message.counterpart_organisation or message.counterpart_participant,
        unit=message.counterpart_function,
        number=(_PARTICIPANT, message.counterpart_participant),
    )
    if message.written_by:
        _add_agent(agents, "creator", message.written_by.name)


def _add_agent(
    parent: Any, kind: str, name: str, *, unit: str = "", number: tuple[str, str] | None = None
) -> None:
    """An agent; `number` is the kind of its identifier, and the identifier."""
    agent = _WRITER.add(parent, "agent", agentType=kind)
    _WRITER.add(agent, "name", name)
    if unit:
        _WRITER.add(agent, "unitName", unit)
    if number:
        _WRITER.add(agent, "idNumber", number[1], idNumberType=number[0])


def _add_restriction(parent: Any) -> None:
    """What the sender's mark says. The message does not name a section of the law."""
    restriction = _WRITER.add(parent, "restriction", restrictionType="confidential")
    text = _("Sekretess: innehåller uppgifter som avsändaren bedömt omfattas av sekretess")
    _WRITER.add(restriction, "explanatoryText", text)
    _WRITER.add(restriction, "regulation", _("Inte angiven"))
