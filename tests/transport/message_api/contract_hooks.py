"""What schemathesis is told besides the contract, whose form cannot say it.

`filter` is a family of parameters, `filter[attribute]=value` with the attributes of the text, and a message's
id is one that the service gave.
"""

import itertools
import os

import schemathesis
from schemathesis import GenerationMode

_FILTERS = itertools.cycle(
    [
        {},
        {"filter[messageStatus]": "ACCEPTED"},
        {"filter[recipientAttention.subOrganization.extension]": "sdk:inkorg001:0203:inera.se"},
        {"filter[senderAttention.subOrganization.extension]": "sdk:utkorg:0203:inera.se"},
        {"filter[messageStatus]": "NEW", "filter[creationDateTimeStart]": "2026-01-01T00:00:00Z"},
        {"filter[creationDateTimeStop]": "2099-01-01T00:00:00.000Z"},
    ]
)
_IDENTITIES = itertools.cycle(os.environ.get("SDK_TEST_MESSAGES", "").split(","))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Fill in what is valid where valid data is asked for, and leave what is meant to be wrong as it is."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.query and "filter" in case.query:
        case.query = next(_FILTERS) if case.path == "/sdk/messages" else {}
    if case.path_parameters and "messageId" in case.path_parameters:
        case.path_parameters["messageId"] = next(_IDENTITIES)
