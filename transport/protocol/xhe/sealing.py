"""Sealing: payload into envelope, encrypted and signed, in one pass (C3.2.2 section 3).

The envelope is written canonically with a token where the ciphertext goes; the payload is then
encrypted, encoded, hashed and written in chunks, so memory does not grow with its size.
"""

import io
import os
import secrets
from typing import BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from transport.protocol.identifiers import NS_XHA, NS_XHB, NS_XHE

from .encryption import encrypt_base64, write_encrypted_data
from .envelope import Envelope, write_envelope
from .signature import write_signature

_KEY_BYTES: Final = 32
_CHUNK: Final = 64 * 1024
_SCOPE: Final = {"x": NS_XHE, "xha": NS_XHA, "xhb": NS_XHB}
_CLOSING: Final = b"</x:XHE>"


def seal(
    envelope: Envelope,
    payload: BinaryIO,
    out: BinaryIO,
    *,
    signing_key: RSAPrivateKey,
    signing_certificate: x509.Certificate,
    encryption_certificate: x509.Certificate | None,
) -> None:
    """Write the sealed envelope to `out`.

    `payload` gives a canonical XML element that declares the namespaces it uses, as `write_message`
    and `write_receipt` make it. Without an encryption certificate it is signed only, as receipts are
    (C3.2.2 3.4 with transport model 2.1); `envelope.is_encrypted` has to agree.
    """
    if envelope.is_encrypted != (encryption_certificate is not None):
        raise ValueError("the envelope and the encryption certificate disagree")
    token = secrets.token_hex(16)
    session_key = os.urandom(_KEY_BYTES)
    if encryption_certificate is None:
        inner = token.encode()
    else:
        inner = write_encrypted_data(session_key, encryption_certificate, token)
    head, _, tail = write_envelope(envelope, inner).partition(token.encode())
    digest = hashes.Hash(hashes.SHA256())

    def write(data: bytes) -> None:
        digest.update(data)
        out.write(data)

    write(head)
    if encryption_certificate is None:
        while chunk := payload.read(_CHUNK):
            write(chunk)
    else:
        encrypt_base64(session_key, payload, write)
    digest.update(tail)
    out.write(tail.removesuffix(_CLOSING))
    out.write(write_signature(digest.finalize(), signing_key, signing_certificate, _SCOPE))
    out.write(_CLOSING)


def sealed(
    envelope: Envelope,
    payload: bytes,
    *,
    signing_key: RSAPrivateKey,
    signing_certificate: x509.Certificate,
    encryption_certificate: x509.Certificate | None,
) -> bytes:
    """`seal` for what is in memory, such as a message receipt."""
    out = io.BytesIO()
    seal(
        envelope,
        io.BytesIO(payload),
        out,
        signing_key=signing_key,
        signing_certificate=signing_certificate,
        encryption_certificate=encryption_certificate,
    )
    return out.getvalue()
