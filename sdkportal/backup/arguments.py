"""The arguments that several of the backup's commands have."""

from pathlib import Path

from django.core.management.base import CommandParser


def add_target(parser: CommandParser) -> None:
    """Where sets are kept."""
    parser.add_argument(
        "target", nargs="?", help="directory or s3://BUCKET/PREFIX; without it SDK_BACKUP_TARGET"
    )


def add_identity(parser: CommandParser) -> None:
    """The key that opens sets."""
    parser.add_argument("--identity", type=Path, required=True, help="file with the private key")


def add_set(parser: CommandParser) -> None:
    """Which set, and what shows that it is the one that was made."""
    parser.add_argument("--set", default="", dest="name", metavar="TIME", help="else the latest")
    parser.add_argument("--digest", default="", help="the set's digest, as `backup` printed it")
