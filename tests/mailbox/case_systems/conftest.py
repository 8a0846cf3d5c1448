import pytest

from mailbox.archive import page
from mailbox.models import CaseSystem, Membership
from tests.mailbox.build import a_member, log_in

from .build import a_case_system


@pytest.fixture(autouse=True)
def directory(settings, tmp_path):
    settings.SDK_CASE_SYSTEM_DIRECTORY = str(tmp_path / "case-systems")
    (tmp_path / "case-systems").mkdir()
    return tmp_path / "case-systems"


@pytest.fixture(autouse=True)
def pages(monkeypatch, request):
    """Drawing the page of a package takes a second: only those who ask for `drawn_pages` wait for it."""
    if "drawn_pages" not in request.fixturenames:
        monkeypatch.setattr(page, "as_pdf", lambda html: b"%PDF-1.7")


@pytest.fixture
def drawn_pages():
    """Packages have their real page."""


@pytest.fixture
def karin(mailbox, client):
    person = a_member("Karin", mailbox)
    Membership.objects.update(role=Membership.Role.MANAGER)
    log_in(client, person)
    return person


@pytest.fixture
def system(mailbox):
    return a_case_system(mailbox)


@pytest.fixture
def folder(system, directory):
    """Where the case system takes packages and puts receipts."""
    return directory / "0203%3Ahabo.se" / system.folder


@pytest.fixture
def by_api(mailbox):
    return a_case_system(mailbox, name="E-arkivet", kind=CaseSystem.Kind.WEBHOOK, folder="")
