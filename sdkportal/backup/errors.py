"""What a backup can fail of."""


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text says what is wrong and where, without content."""
