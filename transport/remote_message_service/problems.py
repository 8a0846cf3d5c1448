"""What can be wrong with another message service, or with what it sends."""

from datetime import timedelta


class RemoteProblem(Exception):
    """The service cannot be used now. `code` says why, `retry_after` when it wants to be asked again."""

    def __init__(self, code: str, retry_after: timedelta | None = None) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(code)


class AnswerInvalid(RemoteProblem):
    """The service answers something that the contract does not allow."""

    def __init__(self, code: str = "answer-invalid") -> None:
        super().__init__(code)


class NotThere(Exception):
    """The service has no such message."""


class MessageRefused(Exception):
    """The service does not accept a message of ours."""


class CursorInvalid(Exception):
    """The service does not accept the address of a page that it gave itself."""
