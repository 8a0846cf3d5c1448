"""Errors of encryption at rest. None of these carries content or a key."""


class AtRestError(Exception):
    """A stored text or file cannot be encrypted or decrypted."""


class Altered(AtRestError):
    """The ciphertext has been changed or cut short, or belongs to another row or file."""


class NotSealed(AtRestError):
    """The value is not encrypted, and SDK_ACCEPT_PLAIN does not allow that."""


class DataKeyUnknown(AtRestError):
    """The value was encrypted with a data key that the database does not have."""


class WrappingKeyMissing(AtRestError):
    """The wrapping key is not configured, or is not the one that wrapped this data key."""


class TokenUnavailable(AtRestError):
    """The PKCS#11 token cannot be used."""
