"""A job that only starts, to test whether a confinement works."""

from typing import BinaryIO


def run(source: BinaryIO, target: BinaryIO) -> None:
    source.read()
    target.write(b"ready")
