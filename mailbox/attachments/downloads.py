"""Response headers of downloads and previews: the one place where values from a message get into headers."""

import re
from typing import Final, TypeVar

from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from .file_names import safe_name

DOWNLOADED: Final = "default-src 'none'; sandbox"
UNKNOWN_TYPE: Final = "application/octet-stream"
# RFC 9110 8.3.1, restricted to a type, a subtype and parameters without escapes.
_WORD: Final = r"[A-Za-z0-9!#$&^_.+-]+"
_CONTENT_TYPE: Final = re.compile(rf'{_WORD}/{_WORD}(?: ?; ?{_WORD}=(?:{_WORD}|"{_WORD}"))*')
_LONGEST_TYPE: Final = 200
R = TypeVar("R", bound=HttpResponseBase)


def safe_content_type(content_type: str) -> str:
    """The content type if it is well-formed; otherwise application/octet-stream."""
    stripped = content_type.strip(" ")
    if len(stripped) <= _LONGEST_TYPE and _CONTENT_TYPE.fullmatch(stripped):
        return stripped
    return UNKNOWN_TYPE


def guarded(response: R, content_type: str, *, saved_as: str | None = None, policy: str = DOWNLOADED) -> R:
    """The response with its content type, its file name if it is to be saved, and its security headers."""
    response["Content-Type"] = safe_content_type(content_type)
    disposition = content_disposition_header(saved_as is not None, safe_name(saved_as) if saved_as else "")
    response["Content-Disposition"] = disposition or "inline"
    response["Content-Security-Policy"] = policy
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
