"""What directory services (SCIM 2.0) may say, and have said, about an organisation's people and groups."""

from .access import Directory, DirectoryFailure, DirectoryToken
from .resources import DirectoryGroup, DirectoryGroupMapping, DirectoryGroupMember, DirectoryUser

__all__ = [
    "Directory",
    "DirectoryFailure",
    "DirectoryGroup",
    "DirectoryGroupMapping",
    "DirectoryGroupMember",
    "DirectoryToken",
    "DirectoryUser",
]
