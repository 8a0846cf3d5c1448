"""The SML of the test federation: NAPTR records of the registered participants."""

from dnslib import NAPTR, QTYPE, RCODE, RR, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from transport.protocol.discovery import bdxl_name
from transport.protocol.identifiers import ParticipantId

from .register import Register

ZONE = "sml.testbed.example"


class SmlResolver(BaseResolver):
    """Answers with a NAPTR record for published participants, with NXDOMAIN for everything else."""

    def __init__(self, register: Register, smp_url: str) -> None:
        self._register = register
        self._smp_url = smp_url

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        published = {
            bdxl_name(ParticipantId.parse(participant), ZONE).lower()
            for participant, entry in self._register.entries("participants").items()
            if entry["published"]
        }
        if name not in published:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype in (QTYPE.NAPTR, QTYPE.ANY):
            record = NAPTR(100, 10, b"U", b"Meta:SMP", f"!^.*$!{self._smp_url}!".encode(), ".")
            reply.add_answer(RR(request.q.qname, QTYPE.NAPTR, rdata=record, ttl=60))
        return reply


def start_name_servers(register: Register, smp_url: str, port: int) -> list[DNSServer]:
    """Start name servers for UDP and TCP on the loopback port, each in a thread."""
    resolver = SmlResolver(register, smp_url)
    servers = [
        DNSServer(resolver, address="127.0.0.1", port=port, tcp=tcp, logger=DNSLogger("-request,-reply"))
        for tcp in (False, True)
    ]
    for server in servers:
        server.start_thread()
    return servers
