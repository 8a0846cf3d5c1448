"""What exporting, importing and erasing an organisation can fail of."""


class LeavingError(Exception):
    """It cannot be done; the text says what is wrong and where, without content."""
