"""Sealed envelopes for tests: ours, and any document signed anew."""

import base64
import hashlib
import io
import re

from lxml import etree

from transport.protocol.identifiers import NS_DS, NS_XHA, NS_XHB, NS_XHE
from transport.protocol.sdk_message.message import BytesContent, File, write_message
from transport.protocol.xhe import opening, sealing
from transport.protocol.xhe.signature import write_signature

from .build import a_message, an_envelope
from .keys import certificate, key

_SIGNATURE = re.compile(rb"<ds:Signature .*</ds:Signature>", re.DOTALL)
_CIPHER_TEXT = re.compile(
    rb"(</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>)([^<]*)(<)"
)


def a_payload(size: int = 0) -> bytes:
    """An SDK message with an attachment of that size."""
    out = io.BytesIO()
    files = (File("a.pdf", "application/pdf", BytesContent(b"%PDF" + b"x" * size)),) if size else ()
    write_message(a_message(files=files), out)
    return out.getvalue()


def sealed(payload: bytes, *, encrypted: bool = True) -> bytes:
    """What we seal, from "sender" to "recipient"."""
    out = io.BytesIO()
    sealing.seal(
        an_envelope(is_encrypted=encrypted),
        io.BytesIO(payload),
        out,
        signing_key=key("sender"),
        signing_certificate=certificate("sender"),
        encryption_certificate=certificate("recipient") if encrypted else None,
    )
    return out.getvalue()


def verified(document: bytes) -> opening.VerifiedEnvelope:
    return opening.verify_envelope(io.BytesIO(document))


def opened(document: bytes, *names: str) -> bytes:
    """The payload, with the keys of these names or the recipient's."""
    out = io.BytesIO()
    verified(document).write_payload(out, [key(name) for name in names or ("recipient",)])
    return out.getvalue()


def signed_anew(document: bytes) -> bytes:
    """One of our documents, changed, with a signature that holds for what it is now."""
    root = etree.fromstring(document, etree.XMLParser(huge_tree=True, resolve_entities=False))
    (signature,) = root.findall(f"{{{NS_DS}}}Signature")
    root.remove(signature)
    canonical = etree.tostring(root.getroottree(), method="c14n", with_comments=False)
    scope = {"x": NS_XHE, "xha": NS_XHA, "xhb": NS_XHB}
    new = write_signature(hashlib.sha256(canonical).digest(), key("sender"), certificate("sender"), scope)
    return _SIGNATURE.sub(lambda _: new, document)


def with_cipher_text(document: bytes, change) -> bytes:
    """The document with its ciphertext as `change` makes it; the signature is not touched."""
    return _CIPHER_TEXT.sub(lambda found: found[1] + change(found[2]) + found[3], document)


def in_lines(text: bytes, end: bytes, width: int = 76) -> bytes:
    """Text in lines, as other senders write base64."""
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def decoded(text: bytes) -> bytes:
    return base64.b64decode(text)
