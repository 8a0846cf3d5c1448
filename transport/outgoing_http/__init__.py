"""All HTTP that this node sends: to access points, SMP, CRL and OCSP, the address book, web hooks, push
services, the e-ID provider. No other module of production imports an HTTP library. Beside it the TCP
connections of SFTP (`tcp`), for which the same addresses are refused.

An address is read once (`transport.protocol.urls`), the network address that it resolves to is judged and
then connected to, and every call has a total deadline and a limit to what is read. No proxy or password of
the environment's is used, and no redirect is followed.
"""

from .addresses import AddressRefused, Origin, check_url
from .client import Answer, Client, NoAnswer, StreamedAnswer, TooLong, request

__all__ = [
    "AddressRefused",
    "Answer",
    "Client",
    "NoAnswer",
    "Origin",
    "StreamedAnswer",
    "TooLong",
    "check_url",
    "request",
]
