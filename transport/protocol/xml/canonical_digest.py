"""The digest of a document's exclusive canonical form, taken while the document streams by.

For documents that are too large for a tree. Gives what `canonical_document` and a hash would, without
comments (Exclusive XML Canonicalization 1.0 sections 1.3 and 3).
"""

from typing import Final

from cryptography.hazmat.primitives import hashes

from .safe_xml import ENVELOPE_DOCUMENT, BoundedReader, Limits, XmlRefused

_XML_PREFIX: Final = "xml"


class CanonicalDigest:
    """Takes a document's bytes with `update`; `finalize` gives the digest, None where they are no XML."""

    def __init__(self, algorithm: hashes.HashAlgorithm, limits: Limits = ENVELOPE_DOCUMENT) -> None:
        self._hash = hashes.Hash(algorithm)
        self._is_refused = False
        self._has_ended = False
        # For each open element: how its name is written, and the namespaces that have been written by then.
        self._open: list[tuple[str, dict[str, str]]] = []
        self._reader = BoundedReader(limits)
        self._reader.on_start = self._start
        self._reader.on_end = self._end
        self._reader.parser.CharacterDataHandler = self._text
        self._reader.parser.ProcessingInstructionHandler = self._instruction

    def update(self, data: bytes) -> None:
        self._feed(data)

    def finalize(self) -> bytes | None:
        self._feed(b"", last=True)
        return None if self._is_refused else self._hash.finalize()

    def _feed(self, data: bytes, *, last: bool = False) -> None:
        if self._is_refused:
            return
        try:
            self._reader.feed(data, last=last)
        except XmlRefused:
            self._is_refused = True

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        uri, _, prefix = _parts(name)
        used = {prefix: uri}
        written: list[tuple[str, str, str]] = []
        for attribute, value in attributes.items():
            its_uri, local, its_prefix = _parts(attribute)
            if its_prefix:
                used[its_prefix] = its_uri
            written.append((its_uri, local, f' {_written(attribute)}="{_attribute(value)}"'))
        in_scope = self._open[-1][1] if self._open else {"": ""}
        # The same namespace under the same prefix is not written again (section 3, 3.1).
        new = {key: value for key, value in used.items() if key != _XML_PREFIX and in_scope.get(key) != value}
        declarations = (
            f' xmlns{":" if key else ""}{key}="{_attribute(value)}"' for key, value in sorted(new.items())
        )
        text = "".join(declarations) + "".join(item for _, _, item in sorted(written))
        tag = _written(name)
        self._open.append((tag, {**in_scope, **new} if new else in_scope))
        self._write(f"<{tag}{text}>")

    def _end(self, name: str) -> None:
        tag, _ = self._open.pop()
        self._has_ended = not self._open
        self._write(f"</{tag}>")

    def _text(self, text: str) -> None:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self._write(escaped.replace("\r", "&#xD;"))

    def _instruction(self, target: str, data: str) -> None:
        instruction = f"<?{target} {data}?>" if data else f"<?{target}?>"
        before, after = ("\n" if self._has_ended else ""), ("" if self._open or self._has_ended else "\n")
        self._write(before + instruction.replace("\r", "&#xD;") + after)

    def _write(self, text: str) -> None:
        self._hash.update(text.encode())


def _parts(name: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix of a name as `BoundedReader` gives it."""
    parts = name.split(BoundedReader.SEPARATOR)
    if len(parts) == 1:
        return "", parts[0], ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _written(name: str) -> str:
    _, local, prefix = _parts(name)
    return f"{prefix}:{local}" if prefix else local


def _attribute(value: str) -> str:
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return escaped.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
