"""asyncssh, loaded when it is first needed.

It takes a quarter of a second and 32 MB, which only processes that hand over by SFTP should pay.
"""

import logging
from functools import cache
from importlib import import_module
from typing import Any


@cache
def asyncssh() -> Any:
    """The module. It logs no sessions: what it tells of each names addresses and users."""
    module = import_module("asyncssh")
    module.set_log_level(logging.WARNING)
    module.set_sftp_log_level(logging.WARNING)
    return module
