"""The checks of a node, in the order in which their findings are read."""

from typing import Final

from . import database, federation, keys, machine, services
from .findings import Check

# Organisations are asked for one after the other.
_MANY_LOOKUPS: Final = 45.0
# The largest attachment goes through the scanner.
_SCANNER: Final = 30.0

CHECKS: Final = (
    Check("settings", machine.configuration),
    Check("database", database.version),
    Check("extensions", database.extensions),
    Check("rights", database.rights),
    Check("migrations", database.migrations),
    Check("database-clock", database.clock),
    Check("clock", services.clock, 15.0),
    Check("broker", services.broker),
    Check("workers", services.workers),
    Check("beat", services.beat),
    Check("queues", services.queues),
    Check("dead-letters", services.dead_letters),
    Check("message-services", services.message_services),
    Check("storage", machine.storage, 15.0),
    Check("work-directory", machine.work_directory),
    Check("case-system-directory", machine.case_system_directory),
    Check("disks", machine.disks),
    Check("scanner", machine.scanner, _SCANNER),
    Check("static-files", machine.static_files),
    Check("access-point-key", keys.access_point),
    Check("data-keys", keys.data_keys, 20.0),
    Check("certificates", keys.certificates),
    Check("revocation", federation.revocation, _MANY_LOOKUPS),
    Check("sml", federation.sml, _MANY_LOOKUPS),
    Check("smp", federation.smp, _MANY_LOOKUPS),
    Check("certpub", federation.certpub, _MANY_LOOKUPS),
    Check("round-trip", federation.round_trip, 30.0),
    Check("address-book", federation.address_book, 15.0),
    Check("eid", services.eid),
    Check("saml", services.saml),
    Check("mail", services.mail, 15.0),
    Check("pages", services.pages),
    Check("backup", machine.backup),
)
# When an examination is done at the latest: what hangs is given up, beside the others.
LONGEST_SECONDS: Final = sum(check.seconds for check in CHECKS)
