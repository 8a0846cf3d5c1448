"""The objects of the API's contract, which validate requests and generate the OpenAPI document."""

from typing import Any, Final

from rest_framework import serializers

from transport.message_service.states import IncomingState, OutgoingState

VERSION: Final = "sdk api 1.0.0"
STATUSES: Final = [
    state
    for state in dict.fromkeys([*OutgoingState.values, *IncomingState.values])
    if state != IncomingState.ARRIVED
]
_LONGEST: Final = 256


class Text(serializers.CharField):
    """A string, not trimmed; a number is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, **options})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class Content(Text):
    """A file in base64; a long one is in a file of its own (`Aside`), and is validated when it is decoded."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return data if isinstance(data, str) else super().run_validation(data)


class Flag(serializers.BooleanField):
    """`true` or `false`; nothing else is converted to one of them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data is True


class Problem(serializers.Serializer[Any]):
    """The common fields of problems and their issues (RFC 7807)."""

    type = Text(required=False, help_text="a URI for the kind of problem")
    title = Text(required=False)
    detail = Text(required=False)
    instance = Text(required=False, help_text="a URI for what it is about")


class Issue(Problem):
    """An event of a message, or a problem of a request."""

    typeCode = Text(required=False, help_text="a message status, or a receipt's reason code (SV, BV, SIG)")
    dateTime = Text(required=False)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "in": Text(required=False, help_text="where, or NA")}


class Events(Problem):
    """The events of a message, or the problems of a request; the latest first."""

    status = serializers.IntegerField(required=False, min_value=400, max_value=599)
    eventIssues = Issue(many=True, required=False)


class OrganisationPart(serializers.Serializer[Any]):
    """A function: its address in `extension`."""

    root = Text(required=False)
    extension = Text(required=False, max_length=_LONGEST)
    label = Text(required=False)


class Labelled(serializers.Serializer[Any]):
    """A person whom the message refers to, or a reference such as a case number."""

    root = Text()
    extension = Text(max_length=_LONGEST)
    label = Text()


class Attention(serializers.Serializer[Any]):
    """Which function, and whom and what it concerns."""

    subOrganization = OrganisationPart()
    attentionPerson = Labelled(many=True, required=False)
    referenceId = Labelled(many=True, required=False)


class GeneratingSystem(serializers.Serializer[Any]):
    """The system that made the message."""

    root = Text(required=False)
    extension = Text(required=False)


class ContentFile(serializers.Serializer[Any]):
    """An attachment."""

    fileName = Text()
    contentType = Text()
    content = Content(help_text="base64 (RFC 4648)")


class DigitalDocument(serializers.Serializer[Any]):
    """Texts in Markdown, and files."""

    documentName = Text(required=False)
    documentId = Text()
    index = Text(required=False)
    contentTextBody = serializers.ListField(child=Text(), required=False)
    contentFiles = ContentFile(many=True, required=False)


class NewAttributes(serializers.Serializer[Any]):
    """An SDK message to be sent. What the service sets may be left out."""

    messageStatus = serializers.ChoiceField(STATUSES, required=False, help_text="not looked at")
    creationDateTime = Text(required=False, help_text="ISO 8601 in UTC; the service sets it")
    messageId = Text(
        required=False, help_text="UUID; the service sets it. Give one, and sending again is safe"
    )
    conversationId = Text(required=False, help_text="UUID; the service sets it")
    refToMessageId = Text(required=False, help_text="UUID of the message that this one answers")
    confidentiality = Flag()
    generatingSystem = GeneratingSystem(required=False)
    recipientAttention = Attention(required=False, help_text="needed: the SDK message's rules ask for it")
    senderAttention = Attention(required=False, help_text="needed: a function that the client may act for")
    sender = Text(help_text="the client's own organisation")
    recipient = Text()
    label = Text(max_length=_LONGEST)
    digitalDocument = DigitalDocument(many=True, required=False)
    events = Events(required=False, help_text="not looked at")


class NewData(serializers.Serializer[Any]):
    """A message to be sent."""

    type = serializers.ChoiceField(["messages"], required=False)
    id = Text(required=False, help_text="UUID; the service sets it")
    attributes = NewAttributes()


class NewMessage(serializers.Serializer[Any]):
    """The body of `sendMessage`."""

    data = NewData()


class MessageAttributes(NewAttributes):
    """The attributes of an SDK message that was sent or has arrived."""

    messageStatus = serializers.ChoiceField(STATUSES)
    creationDateTime = Text()
    messageId = Text()
    conversationId = Text()


class MessageData(serializers.Serializer[Any]):
    """A message."""

    type = serializers.ChoiceField(["messages"])
    id = Text()
    attributes = MessageAttributes()


class Meta(serializers.Serializer[Any]):
    version = serializers.ChoiceField([VERSION])


class Links(serializers.Serializer[Any]):
    """The links of a page; `next` is present if there are more messages."""

    self = Text()
    next = Text(required=False)


class OneMessage(serializers.Serializer[Any]):
    """The response of `getMessageById`."""

    meta = Meta()
    links = Links()
    data = MessageData()


class Messages(serializers.Serializer[Any]):
    """The response of `getMessageByFilter`, without `digitalDocument`."""

    meta = Meta()
    links = Links()
    data = MessageData(many=True)
