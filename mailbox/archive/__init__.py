"""Record bundles: a conversation for registration and archive, in one ZIP to be checked by itself.

`account` gathers what is known of a conversation, `bundle` writes it with attachments and evidence,
`checking` judges a bundle without a database. What a bundle holds stands in docs/record-bundle.md.
"""

from .bundle import write_bundle
from .verification import Fault, check_bundle

__all__ = ["Fault", "check_bundle", "write_bundle"]
