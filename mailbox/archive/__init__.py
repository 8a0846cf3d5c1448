"""Record bundles: a conversation for registration and archive as one ZIP, which can be verified by itself.

`conversation_record` collects the metadata, `page` makes the PDF, `bundle` writes both with attachments and
evidence, `verification` verifies a bundle without a database. docs/record-bundle.md describes the content.
"""

from .bundle import file_name_of, write_bundle
from .verification import Fault, check_bundle

__all__ = ["Fault", "check_bundle", "file_name_of", "write_bundle"]
