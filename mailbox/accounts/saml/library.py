"""pysaml2, loaded when it is first needed: it reads its XML schemas when it is imported, which takes a second
that only nodes with SAML should pay."""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def saml2(name: str) -> Any:
    """A module of pysaml2, such as `response`."""
    return import_module(f"saml2.{name}")
