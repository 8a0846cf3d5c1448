"""Content-IDs and the `cid:` URLs that refer to them (RFC 2392)."""

from typing import Final
from urllib.parse import quote, unquote_to_bytes

_SCHEME: Final = "cid:"
# What an addr-spec may hold and a URL need not escape (RFC 3986 pchar).
_UNESCAPED: Final = "@!$&'()*+,;=:~"


def content_id_of(url: str) -> str | None:
    """The Content-ID, without brackets, that a URL names; None for a URL of another scheme.

    Characters may be escaped in the URL and not in the part's header (`cid:a%40b` is `<a@b>`). The result is
    as a part's header is read: a character for each octet.
    """
    if url[: len(_SCHEME)].lower() != _SCHEME:
        return None
    try:
        return unquote_to_bytes(url[len(_SCHEME) :]).decode("latin-1")
    except UnicodeEncodeError:
        return None


def cid_url(content_id: str) -> str:
    """The URL of a part."""
    return _SCHEME + quote(content_id, safe=_UNESCAPED, encoding="latin-1", errors="replace")
