"""Exports of a conversation for registration and archive, each one ZIP that can be verified by itself.

`conversation_record` collects the metadata, `page` makes the PDF. `bundle` writes a record bundle of them
with attachments and evidence, `eark` an E-ARK package of the same files.
`verification` verifies both without a database. docs/record-bundle.md describes the content.
"""

from .bundle import write_bundle
from .eark import write_package
from .faults import Fault
from .file_names import file_name_of
from .verification import check_bundle

__all__ = ["Fault", "check_bundle", "file_name_of", "write_bundle", "write_package"]
