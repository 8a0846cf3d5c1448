"""Reading pages, however their templates break lines."""

import re


def in_one_line(page: str) -> str:
    """The page with every run of whitespace as one space, and none before the end of a tag."""
    return re.sub(r"\s+>", ">", " ".join(page.split()))
