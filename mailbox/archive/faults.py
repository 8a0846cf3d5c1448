"""What is wrong with a bundle or package, and what reading a broken one raises."""

import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

# What is raised by an archive that is broken, encrypted, or compressed in a way that is unknown here.
UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    EOFError,
    RuntimeError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a bundle or package: its path in it, and a code (`unsafe-path`, `changed`,
    `signature` ...)."""

    path: str
    code: str
