"""Sealing and opening: ours beside signxml with lxml, libxmlsec1, and the bare cryptography.

    python -m benchmarks.sealing [--sizes 2K,1M,30M,100M]

Prints wall milliseconds (medians) and the memory that an operation adds at its peak, both as
sealing / opening. `floor` is RSA, AES, SHA-256 and base64 alone, in memory, which every implementation needs.
`of floor` is floor / ours, the figure that the project's targets are about. Every implementation runs in a
process of its own; what it has sealed is opened by libxmlsec1 and by us before anything is timed.
"""

# ruff: noqa: S101, S603, T201

import argparse
import base64
import copy
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pybase64
import signxml
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID
from lxml import etree

from transport.protocol.identifiers import NS_DS, NS_XENC, SDK_MESSAGE, SDK_MESSAGE_TYPE_CODE, ParticipantId
from transport.protocol.xhe.encryption import write_encrypted_data
from transport.protocol.xhe.envelope import Envelope, write_envelope
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.sealing import seal

DS = f"{{{NS_DS}}}"
XENC = f"{{{NS_XENC}}}"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
CHUNK = 48 * 1024
ENVELOPE = Envelope(
    "862693f7-53d4-4d96-b35c-470055710092",
    datetime(2026, 1, 1, tzinfo=UTC),
    ParticipantId("0203:habo.se"),
    ParticipantId("0203:arbetsformedlingen.se"),
    SDK_MESSAGE,
    SDK_MESSAGE_TYPE_CODE,
    is_encrypted=True,
    handling_service_id="funktion",
)
PARSER = etree.XMLParser(huge_tree=True, resolve_entities=False)


class Keys:
    """One key and certificate for sender and recipient, in a file that the measuring processes share."""

    def __init__(self, path: Path) -> None:
        self.pem = path.read_bytes()
        key = serialization.load_pem_private_key(self.pem, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self.private = key
        self.certificate = x509.load_pem_x509_certificate(self.pem)
        self.certificate_pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        self.public = key.public_key()
        # Loaded once in each process, as the keys of the other implementations are.
        self.xmlsec_private = xmlsec.Key.from_memory(self.pem, xmlsec.constants.KeyDataFormatPem)
        self.xmlsec_private.load_cert_from_memory(self.certificate_pem, xmlsec.constants.KeyDataFormatPem)
        self.xmlsec_public = xmlsec.Key.from_memory(
            self.certificate_pem, xmlsec.constants.KeyDataFormatCertPem
        )
        self.encrypting, self.decrypting = xmlsec.KeysManager(), xmlsec.KeysManager()
        self.encrypting.add_key(copy.copy(self.xmlsec_public))
        self.decrypting.add_key(copy.copy(self.xmlsec_private))

    @staticmethod
    def create(path: Path) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


@dataclass
class Implementation:
    """An implementation: `open` opens what `seal` has sealed last.

    `document` returns the sealed envelope, `plain` what was opened.
    """

    seal: Callable[[], object]
    open: Callable[[], object]
    document: Callable[[], bytes] | None = None
    plain: Callable[[], bytes] | None = None


def floor(keys: Keys, payload: bytes, _: Path) -> Implementation:
    """The cryptography alone: what has to be encrypted, encoded and hashed."""
    source = memoryview(payload)[: len(payload) // 16 * 16]
    state: dict[str, bytes] = {}
    pieces: list[bytes] = []

    def sealing() -> None:
        session = os.urandom(32)
        state["wrapped"] = keys.public.encrypt(session, OAEP)
        encryptor = Cipher(algorithms.AES(session), modes.CBC(b"\0" * 16)).encryptor()
        digest = hashes.Hash(hashes.SHA256())
        buffer = memoryview(bytearray(CHUNK + 16))
        pieces.clear()
        for at in range(0, len(source), CHUNK):
            count = encryptor.update_into(source[at : at + CHUNK], buffer)
            pieces.append(pybase64.b64encode(buffer[:count]))
            digest.update(pieces[-1])
        state["digest"] = digest.finalize()
        state["signature"] = keys.private.sign(state["digest"], padding.PKCS1v15(), hashes.SHA256())

    def opening() -> None:
        digest = hashes.Hash(hashes.SHA256())
        for piece in pieces:
            digest.update(piece)
        digest.finalize()
        keys.public.verify(state["signature"], state["digest"], padding.PKCS1v15(), hashes.SHA256())
        session = keys.private.decrypt(state["wrapped"], OAEP)
        decryptor = Cipher(algorithms.AES(session), modes.CBC(b"\0" * 16)).decryptor()
        buffer = bytearray(CHUNK + 16)
        for piece in pieces:
            decryptor.update_into(pybase64.b64decode(piece, validate=True), buffer)

    return Implementation(sealing, opening)


def in_memory(keys: Keys, payload: bytes, _: Path) -> Implementation:
    """Ours, from bytes to bytes, in buffers that are reused."""
    sealed, opened = io.BytesIO(), io.BytesIO()

    def sealing() -> None:
        sealed.seek(0)
        _seal(keys, io.BytesIO(payload), sealed)
        sealed.truncate()

    def opening() -> None:
        opened.seek(0)
        verify_envelope(sealed).write_payload(opened, [keys.private])
        opened.truncate()

    return Implementation(sealing, opening, sealed.getvalue, opened.getvalue)


def file_to_file(keys: Keys, payload: bytes, directory: Path) -> Implementation:
    """Ours from file to file, as the node uses it."""
    source, sealed, opened = (directory / name for name in ("payload", "sealed", "opened"))
    source.write_bytes(payload)

    def sealing() -> None:
        with source.open("rb") as file, sealed.open("wb") as out:
            _seal(keys, file, out)

    def opening() -> None:
        with sealed.open("rb") as file, opened.open("wb") as out:
            verify_envelope(file).write_payload(out, [keys.private])

    return Implementation(sealing, opening, sealed.read_bytes, opened.read_bytes)


def signxml_lxml(keys: Keys, payload: bytes, _: Path) -> Implementation:
    """signxml for the signature; cryptography and lxml for the encryption, which signxml lacks."""
    state: dict[str, bytes] = {}

    def sealing() -> None:
        session, initial = os.urandom(32), os.urandom(16)
        encryptor = Cipher(algorithms.AES(session), modes.CBC(initial)).encryptor()
        missing = 16 - len(payload) % 16
        padded = payload + b"\0" * (missing - 1) + bytes([missing])
        text = base64.b64encode(initial + encryptor.update(padded) + encryptor.finalize()).decode()
        root = etree.fromstring(
            write_envelope(ENVELOPE, write_encrypted_data(session, keys.certificate, text)), PARSER
        )
        signer = signxml.XMLSigner(c14n_algorithm=signxml.CanonicalizationMethod.CANONICAL_XML_1_0)
        state["sealed"] = etree.tostring(signer.sign(root, key=keys.private, cert=[keys.certificate]))

    def opening() -> None:
        root = etree.fromstring(state["sealed"], PARSER)
        signxml.XMLVerifier().verify(root, x509_cert=keys.certificate)
        wrapped = base64.b64decode(root.findtext(f".//{XENC}EncryptedKey//{XENC}CipherValue") or "")
        session = keys.private.decrypt(wrapped, OAEP)
        text = root.findtext(f".//{XENC}EncryptedData/{XENC}CipherData/{XENC}CipherValue") or ""
        data = base64.b64decode(text)
        decryptor = Cipher(algorithms.AES(session), modes.CBC(data[:16])).decryptor()
        plain = decryptor.update(data[16:]) + decryptor.finalize()
        state["opened"] = plain[: -plain[-1]]

    return Implementation(sealing, opening, lambda: state["sealed"], lambda: state["opened"])


def libxmlsec1(keys: Keys, payload: bytes, _: Path) -> Implementation:
    """libxmlsec1 for signature and encryption, through its Python binding."""
    state: dict[str, bytes] = {}

    def sealing() -> None:
        root = etree.fromstring(write_envelope(ENVELOPE, payload), PARSER)
        element = _found(root, ".//{*}PayloadContent")[0]
        data = xmlsec.template.encrypted_data_create(
            root, xmlsec.constants.TransformAes256Cbc, type=xmlsec.constants.TypeEncElement, ns="xenc"
        )
        xmlsec.template.encrypted_data_ensure_cipher_value(data)
        info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
        wrapped = xmlsec.template.add_encrypted_key(info, xmlsec.constants.TransformRsaOaep)
        xmlsec.template.encrypted_data_ensure_cipher_value(wrapped)
        encryption = xmlsec.EncryptionContext(keys.encrypting)
        encryption.key = xmlsec.Key.generate(
            xmlsec.constants.KeyDataAes, 256, xmlsec.constants.KeyDataTypeSession
        )
        encryption.encrypt_xml(data, element)
        node = xmlsec.template.create(
            root, xmlsec.constants.TransformInclC14N, xmlsec.constants.TransformRsaSha256
        )
        root.append(node)
        reference = xmlsec.template.add_reference(node, xmlsec.constants.TransformSha256, uri="")
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        xmlsec.template.x509_data_add_certificate(
            xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(node))
        )
        signing = xmlsec.SignatureContext()
        signing.key = keys.xmlsec_private
        signing.sign(node)
        state["sealed"] = etree.tostring(root)

    def opening() -> None:
        state["opened"] = opened_by_libxmlsec1(keys, state["sealed"])

    return Implementation(sealing, opening, lambda: state["sealed"], lambda: state["opened"])


def _found(root: etree._Element, path: str) -> etree._Element:
    element = root.find(path)
    assert element is not None, path
    return element


def opened_by_libxmlsec1(keys: Keys, document: bytes) -> bytes:
    root = etree.fromstring(document, PARSER)
    verification = xmlsec.SignatureContext()
    verification.key = keys.xmlsec_public
    verification.verify(_found(root, DS + "Signature"))
    decrypted = xmlsec.EncryptionContext(keys.decrypting).decrypt(_found(root, f".//{XENC}EncryptedData"))
    return etree.tostring(decrypted)


IMPLEMENTATIONS = {
    "floor": floor,
    "signxml + lxml": signxml_lxml,
    "libxmlsec1": libxmlsec1,
    "in memory": in_memory,
    "file to file": file_to_file,
}


def measure(name: str, size: int, directory: Path) -> dict[str, float]:
    """The median milliseconds of an implementation, measured in this process."""
    keys = Keys(directory / "keys.pem")
    payload = b'<m xmlns="urn:benchmark">' + base64.b64encode(os.urandom(size * 3 // 4)) + b"</m>"
    implementation = IMPLEMENTATIONS[name](keys, payload, directory)
    _check(implementation, keys, payload)
    rounds = 300 if size < 1_000_000 else 50 if size < 10_000_000 else 9 if size < 50_000_000 else 5
    found: dict[str, list[float]] = {"seal ms": [], "open ms": []}
    for _ in range(rounds):
        for label, run in (("seal ms", implementation.seal), ("open ms", implementation.open)):
            begun = time.perf_counter()
            run()
            found[label].append((time.perf_counter() - begun) * 1000)
    return {label: median(values) for label, values in found.items()}


def measure_memory(name: str, size: int, operation: str, directory: Path) -> dict[str, float]:
    """The megabytes that one operation adds to this process at its peak."""
    keys = Keys(directory / "keys.pem")
    # A small message first, so that libraries and tables that stay in memory are not counted.
    small = IMPLEMENTATIONS[name](keys, b"<m>small</m>", directory)
    small.seal()
    small.open()
    payload = b'<m xmlns="urn:benchmark">' + base64.b64encode(os.urandom(size * 3 // 4)) + b"</m>"
    implementation = IMPLEMENTATIONS[name](keys, payload, directory)
    if operation == "open":
        implementation.seal()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    (implementation.seal if operation == "seal" else implementation.open)()
    return {f"{operation} MB": max(0.0, _resident("VmHWM") - before)}


def _resident(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _check(implementation: Implementation, keys: Keys, payload: bytes) -> None:
    implementation.seal()
    implementation.open()
    if implementation.document is None or implementation.plain is None:
        return
    ours = io.BytesIO()
    verify_envelope(io.BytesIO(implementation.document())).write_payload(ours, [keys.private])
    for opened in (
        implementation.plain(),
        ours.getvalue(),
        opened_by_libxmlsec1(keys, implementation.document()),
    ):
        if etree.fromstring(opened, PARSER).text != etree.fromstring(payload, PARSER).text:
            raise SystemExit("a implementation does not open what another sealed")


def _seal(keys: Keys, payload: io.BufferedIOBase, out: io.BufferedIOBase) -> None:
    seal(
        ENVELOPE,
        payload,  # type: ignore[arg-type]
        out,  # type: ignore[arg-type]
        signing_key=keys.private,
        signing_certificate=keys.certificate,
        encryption_certificate=keys.certificate,
    )


def _bytes(text: str) -> int:
    return int(text[:-1]) * {"K": 1000, "M": 1_000_000}[text[-1].upper()]


def _in_a_process(arguments: list[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.sealing", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
        print(f"  {arguments[1]}: {reason}", file=sys.stderr)
        return {}
    return {key: float(value) for key, value in json.loads(done.stdout).items()}


def _pair(values: dict[str, float], unit: str, digits: int) -> str:
    if f"seal {unit}" not in values:
        return "cannot"
    return f"{values[f'seal {unit}']:.{digits}f} / {values[f'open {unit}']:.{digits}f}"


def _report(sizes: list[str]) -> None:
    names = list(IMPLEMENTATIONS)
    print(f"{'':8}" + "".join(f"{name:>18}" for name in names) + f"{'of floor':>16}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        Keys.create(directory / "keys.pem")
        for size in sizes:
            found = {
                implementation: _in_a_process(["--measure", implementation, size, "ms", name])
                for implementation in names
            }
            digits = 2 if _bytes(size) < 5_000_000 else 0
            row = "".join(f"{_pair(found[implementation], 'ms', digits):>18}" for implementation in names)
            share = [found["floor"][f"{o} ms"] / found["in memory"][f"{o} ms"] for o in ("seal", "open")]
            print(f"{size + ' ms':8}{row}{share[0]:>9.2f} / {share[1]:.2f}", flush=True)
        for size in sizes[-1:]:
            row = f"{'':18}"
            for implementation in names[1:]:
                values: dict[str, float] = {}
                for operation in ("seal", "open"):
                    values |= _in_a_process(["--measure", implementation, size, operation, name])
                row += f"{_pair(values, 'MB', 0):>18}"
            print(f"{size + ' MB':8}{row}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="2K,100K,1M,10M,30M,100M", help="payload sizes, such as 2K,1M")
    parser.add_argument(
        "--measure",
        nargs=4,
        metavar=("IMPLEMENTATION", "SIZE", "WHAT", "DIRECTORY"),
        help="measure one implementation, and print JSON",
    )
    arguments = parser.parse_args()
    if arguments.measure:
        implementation, size, what, directory = arguments.measure
        if what == "ms":
            found = measure(implementation, _bytes(size), Path(directory))
        else:
            found = measure_memory(implementation, _bytes(size), what, Path(directory))
        print(json.dumps(found))
        return
    _report(arguments.sizes.split(","))


if __name__ == "__main__":
    main()
