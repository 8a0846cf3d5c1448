"""The root of every error that `transport.protocol` raises."""


class ProtocolError(Exception):
    """A fact about bytes that do not follow a specification.

    Subclasses carry data, not prose, and never carry the content of a message: `str(error)` may
    be logged.
    """
