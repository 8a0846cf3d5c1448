"""What storage raises."""


class StorageUnavailable(OSError):
    """The object store did not answer, or refused. The message names the kind of error and no file."""
