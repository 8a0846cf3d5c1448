"""The headers of whatever is downloaded or shown by itself: the one place where what a message says gets into
a header.
"""

import re
from typing import Final, TypeVar

from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from .file_names import safe_name

DOWNLOADED: Final = "default-src 'none'; sandbox"
UNKNOWN_TYPE: Final = "application/octet-stream"
# RFC 9110 8.3.1, without what nobody needs: a type, a subtype, and parameters of plain words.
_WORD: Final = r"[A-Za-z0-9!#$&^_.+-]+"
_CONTENT_TYPE: Final = re.compile(rf'{_WORD}/{_WORD}(?: ?; ?{_WORD}=(?:{_WORD}|"{_WORD}"))*')
_LONGEST_TYPE: Final = 200
R = TypeVar("R", bound=HttpResponseBase)


def safe_content_type(content_type: str) -> str:
    """The type that is said, if it is one; else that of bytes of which nothing is known."""
    said = content_type.strip(" ")
    if len(said) <= _LONGEST_TYPE and _CONTENT_TYPE.fullmatch(said):
        return said
    return UNKNOWN_TYPE


def guarded(response: R, content_type: str, *, saved_as: str | None = None, policy: str = DOWNLOADED) -> R:
    """The answer with its type, its name if it is to be saved, and what the browser may do with it."""
    response["Content-Type"] = safe_content_type(content_type)
    disposition = content_disposition_header(saved_as is not None, safe_name(saved_as) if saved_as else "")
    response["Content-Disposition"] = disposition or "inline"
    response["Content-Security-Policy"] = policy
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
