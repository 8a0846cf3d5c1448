"""Logs the first member of a mailbox in: run in a node's environment.

    python -m tests.faults.chaos.login MAILBOX-ADDRESS

prints the session's key.
"""

import sys

# Sets Django up.
from tests.faults.visitors import log_in  # isort: skip

from mailbox.models import FunctionMailbox

if __name__ == "__main__":
    mailbox = FunctionMailbox.objects.get(address=sys.argv[1])
    member = mailbox.memberships.select_related("person").order_by("pk")[0].person
    sys.stdout.write(log_in(member))
