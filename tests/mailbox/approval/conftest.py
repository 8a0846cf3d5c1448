"""Who asks and who approves, in the tests of approval."""

import pytest

from mailbox.models import Person
from tests.mailbox.build import a_member

from .build import a_writer


@pytest.fixture
def karin(mailbox) -> Person:
    return a_writer("Karin", mailbox)


@pytest.fixture
def ahmed(mailbox) -> Person:
    return a_member("Ahmed", mailbox)
