"""A session with an SFTP server: its address, its one known key, and a deadline for all that is asked of it.

Nothing is said to a server whose host key is not the one that administrators have compared: not even which
key we log in with. Only our own key is offered, and no password. Nothing of the machine's SSH configuration,
agent or known hosts is used.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mailbox.models import CaseDelivery, CaseSystem
from transport.outgoing_http import AddressRefused, NoAnswer, tcp

from .connector import CannotHandOver
from .ssh_library import asyncssh

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHKey

LONGEST_ADDRESS: Final = 500
_CONNECT_SECONDS: Final = 15.0
_USUAL_PORT: Final = 22
_MOST_PORT: Final = 65_535
_ADDRESS: Final = re.compile(
    r"sftp://(?P<user>[A-Za-z0-9._-]{1,64})@(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<directory>(?:/[A-Za-z0-9._~-]{1,100}){0,20})/?"
)
_Result = TypeVar("_Result")
# What is done in a session, with the client and the directory.
Work = Callable[["SFTPClient", str], Awaitable[_Result]]
Cause = CaseDelivery.Cause


class AddressInvalid(Exception):
    """The text is no address of the form `sftp://user@host:port/directory`."""


@dataclass(frozen=True, slots=True)
class SftpAddress:
    """Where a case system takes packages. `directory` is absolute, or empty for where the login begins."""

    user: str
    host: str
    port: int
    directory: str


def parse_address(text: str) -> SftpAddress:
    """The parts of an address. Raises `AddressInvalid`."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise AddressInvalid
    port = int(match["port"] or _USUAL_PORT)
    directory = match["directory"]
    if not 0 < port <= _MOST_PORT or {".", ".."} & set(directory.split("/")):
        raise AddressInvalid
    return SftpAddress(match["user"], match["host"].strip("[]"), port, directory)


def new_key_pair() -> tuple[str, str]:
    """A new private key of ours, and the public key that the server's operator lets in."""
    key = asyncssh().generate_private_key("ssh-ed25519", comment="sdkportal")
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


def fingerprint_of(public_key: str) -> str:
    """SHA-256 of a public key, as OpenSSH shows it. Raises `AddressInvalid` where the text is no key."""
    try:
        return str(asyncssh().import_public_key(public_key).get_fingerprint())
    except (asyncssh().KeyImportError, ValueError):
        raise AddressInvalid from None


def fetch_host_key(system: CaseSystem) -> str:
    """The key that the server shows now; a person has to compare it. Raises `CannotHandOver`."""

    async def fetch() -> str:
        address = parse_address(system.sftp_address)
        sock = await _connected(address)
        key = await asyncssh().get_server_host_key(address.host, address.port, sock=sock, config=None)
        if key is None:
            raise CannotHandOver(Cause.NO_ANSWER)
        return str(key.export_public_key().decode().strip())

    return _run(fetch, _CONNECT_SECONDS)


def in_session(system: CaseSystem, work: Work[_Result], *, seconds: float) -> _Result:
    """Log in, and do some work with the client and the case system's directory; all within so many seconds.

    Raises `CannotHandOver`, with the cause `HOST_KEY` where the server is not the one that is known.
    """

    if not system.sftp_host_key:
        raise CannotHandOver(Cause.HOST_KEY)
    # Opened here: in the event loop nothing may ask the database.
    private_key = str(system.sftp_private_key)

    async def session() -> _Result:
        address = parse_address(system.sftp_address)
        async with _client(address, system.sftp_host_key, private_key) as client:
            return await work(client, address.directory or ".")

    return _run(session, seconds)


@asynccontextmanager
async def _client(
    address: SftpAddress, known_key: str, private_key: str
) -> AsyncGenerator["SFTPClient", None]:
    async with asyncio.timeout(_CONNECT_SECONDS):
        host_key = asyncssh().import_public_key(known_key)
        connection = await asyncssh().connect(
            address.host,
            address.port,
            sock=await _connected(address),
            config=None,
            username=address.user,
            client_keys=[asyncssh().import_private_key(private_key)],
            known_hosts=([host_key], [], []),
            server_host_key_algs=[host_key.algorithm.decode()] if not _is_rsa(host_key) else (),
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_auth=False,
            gss_kex=False,
            disable_trivial_auth=True,
            agent_path=None,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=["none"],
            x509_trusted_certs=(),
        )
    try:
        client = await connection.start_sftp_client()
        yield client
        client.exit()
    finally:
        connection.abort()


async def _connected(address: SftpAddress) -> Any:
    sock = await asyncio.to_thread(tcp.connect, address.host, address.port, seconds=_CONNECT_SECONDS)
    sock.setblocking(False)
    return sock


def _is_rsa(key: "SSHKey") -> bool:
    return key.algorithm == b"ssh-rsa"


def _run(work: Callable[[], Awaitable[_Result]], seconds: float) -> _Result:
    async def limited() -> _Result:
        async with asyncio.timeout(seconds):
            return await work()

    try:
        return asyncio.run(limited())
    except (AddressRefused, AddressInvalid):
        cause = Cause.ADDRESS
    except asyncssh().HostKeyNotVerifiable:
        cause = Cause.HOST_KEY
    except (asyncssh().PermissionDenied, asyncssh().KeyImportError):
        cause = Cause.LOGIN
    except asyncssh().SFTPError:
        # No such directory, no right to write in it, a full disk.
        cause = Cause.DIRECTORY
    except (NoAnswer, TimeoutError, OSError, asyncssh().Error, ValueError):
        cause = Cause.NO_ANSWER
    raise CannotHandOver(cause)
