"""A job that does nothing but start: it shows that a confinement works."""

from typing import BinaryIO


def run(source: BinaryIO, target: BinaryIO) -> None:
    source.read()
    target.write(b"ready")
