"""Looking for malicious code in messages: every attachment, and every text."""

from collections.abc import Iterator
from dataclasses import dataclass

from .. import malware
from ..protocol.findings import Detail, Finding, Reason
from ..protocol.message import BytesContent, FileContent, Message


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a message in which the scanner found something. The content may lie in a work directory."""

    xpath: str
    signature: str
    content: FileContent

    @property
    def finding(self) -> Finding:
        """B1.3.3 5.3 number 3. The signature's name is for our own administrators."""
        return Finding("malware", self.xpath, "malicious code was found", Reason.BV, Detail.FORBIDDEN)


def found_in(message: Message) -> tuple[Found, ...]:
    """Every part in which something was found. Raises `malware.NotScanned`."""
    found = []
    for xpath, content in _parts(message):
        with content.open() as source:
            signature = malware.signature_in(source)
        if signature is not None:
            found.append(Found(xpath, signature, content))
    return tuple(found)


def _parts(message: Message) -> Iterator[tuple[str, FileContent]]:
    for number, document in enumerate(message.documents, 1):
        place = f"/tns:messagePayload/tns:message/tns:messageBody/tns:documents[{number}]"
        for position, file in enumerate(document.files, 1):
            yield f"{place}/tns:ContentFiles[{position}]/tns:content", file.content
        if document.texts:
            yield f"{place}/tns:ContentText", BytesContent("\n".join(document.texts).encode())
