"""A plain TCP connection, for the one protocol besides HTTP that this node speaks outwards: SSH.

Where it may go is judged as for HTTP: by the address itself, after its name was resolved.
"""

import socket

from .addresses import Origin, check_url, resolve
from .client import NoAnswer
from .deadline import Deadline


def connect(host: str, port: int, *, seconds: float, origin: Origin = Origin.OTHERS) -> socket.socket:
    """A socket connected to a host whose address was checked, within so many seconds in all.

    Raises `AddressRefused` where nothing may be sent there, `NoAnswer` where nobody answers.
    """
    literal = f"[{host}]" if ":" in host else host
    parts = check_url(f"https://{literal}:{port}/", origin=origin)
    deadline = Deadline(seconds)
    try:
        found = resolve(parts, deadline, origin=origin, plain_http=False)
        for number, (family, kind, protocol, _, address) in enumerate(found):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(deadline.remaining() / (len(found) - number))
                connection.connect(address)
            except OSError:
                connection.close()
            else:
                return connection
    except OSError:
        raise NoAnswer from None
    raise NoAnswer
