"""E-ARK packages of a conversation: METS, PREMIS and CITS ERMS around the files of a record bundle."""

from .package import write_package

__all__ = ["write_package"]
