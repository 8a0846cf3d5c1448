"""Errors of encryption at rest. None of these carries content or a key."""


class AtRestError(Exception):
    """A stored text or file cannot be encrypted or decrypted."""


class Altered(AtRestError):
    """It is not what was sealed in this place: changed, cut short, or moved from another."""


class NotSealed(AtRestError):
    """It is in the clear, and SDK_ACCEPT_PLAIN does not allow that."""


class DataKeyUnknown(AtRestError):
    """It was sealed with a data key that the database does not have."""


class WrappingKeyMissing(AtRestError):
    """The key that wraps data keys is not configured, or is not the one that wrapped this."""


class TokenUnavailable(AtRestError):
    """The PKCS#11 token cannot be used."""
