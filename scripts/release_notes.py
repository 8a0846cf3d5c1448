"""Cuts the notes of a release out of the changelog.

    python scripts/release_notes.py VERSION [CHANGELOG]

VERSION is a number, or `Unreleased`. Prints the section, without its heading; ends with 1 where there is
none, or nothing in it.
"""

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class NoNotes(Exception):
    """The changelog says nothing of the version."""


def notes_of(version: str, changelog: str) -> str:
    """The section of a version, without its heading. Raises `NoNotes`."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, body = section.partition("\n")
        if re.match(rf"\[{re.escape(version)}\]( |$)", heading):
            # The links that headings refer to stand at the end of the file.
            text = re.sub(r"^\[[^\]]+\]: \S+\n?", "", body, flags=re.MULTILINE).strip()
            if not re.sub(r"^#.*$", "", text, flags=re.MULTILINE).strip():
                raise NoNotes(f"the changelog says nothing of {version}")
            return text + "\n"
    raise NoNotes(f"the changelog has no section [{version}]")


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 1
    path = Path(arguments[1]) if len(arguments) > 1 else PROJECT / "CHANGELOG.md"
    try:
        print(notes_of(arguments[0], path.read_text()), end="")
    except NoNotes as error:
        print(f"release_notes: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
