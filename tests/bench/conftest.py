from tests.mailbox.conftest import mailbox

__all__ = ["mailbox"]
