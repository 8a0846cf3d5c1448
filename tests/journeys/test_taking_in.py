"""What an administrator takes in from files, and closes: function addresses, certificates."""

import json
import re
from collections.abc import Iterator

import pytest
from cryptography import x509
from playwright.sync_api import Page, expect

from testbed.authorities import load_certificate, load_key
from tests.journeys.browser import Caseworker
from tests.transport.certificate_watch.build import a_bundle, issued
from transport.protocol.certificates import fingerprint

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
HEADER = "identifier;name;description;categories;search_words"
WRONG_FILE = "Inget har lästs in."


@pytest.fixture
def eva(two_nodes, caseworker) -> Iterator[Caseworker]:
    """The administrator, at the register of functions; what she has put there is gone afterwards."""
    one = caseworker(two_nodes.habo, "Eva Holm")
    one.page.goto(f"{one.url}/administration/funktioner/")
    yield one
    two_nodes.habo.query(
        "WITH gone AS (UPDATE addressbook_ownfunction SET successor_id = NULL "
        "WHERE identifier LIKE 'sdk:inläst-%%' RETURNING id) SELECT count(*) FROM gone"
    )
    two_nodes.habo.query(
        "WITH gone AS (DELETE FROM addressbook_ownfunction "
        "WHERE identifier LIKE 'sdk:inläst-%%' RETURNING id) SELECT count(*) FROM gone"
    )


def take_in(page: Page, name: str, content: str) -> None:
    page.get_by_label("Fil", exact=True).set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_role("button", name="Läs in").click()


def shown(page: Page) -> set[str]:
    """The names of the functions that the file is about, as the list has them."""
    rows = page.get_by_role("row").filter(has_text="sdk:inläst-")
    return {text.splitlines()[0].split("\t")[0] for text in rows.all_inner_texts()}


def test_functions_are_taken_in_from_csv_all_or_none(eva):
    page = eva.page
    good = f"{HEADER}\nsdk:inläst-a;Familjerätten;Samarbetssamtal;;umgänge\nsdk:inläst-b;Skuldrådgivning;;;\n"
    take_in(page, "funktioner.csv", good)
    expect(page.get_by_text("2 nya och 0 ändrade funktionsadresser.")).to_be_visible()
    assert shown(page) == {"Familjerätten", "Skuldrådgivning"}
    eva.check_accessibility()
    # The fourth row, as a spreadsheet counts, has no name: nothing of the file is taken, nothing is lost.
    bad = f"{HEADER}\nsdk:inläst-a;Nytt namn;;;\nsdk:inläst-c;Ny;;;\nsdk:inläst-d;;;;\n"
    take_in(page, "funktioner.csv", bad)
    expect(page.locator("p.error")).to_have_text(f"Rad 4: Namnet saknas. {WRONG_FILE}")
    assert shown(page) == {"Familjerätten", "Skuldrådgivning"}
    eva.check_accessibility()
    take_in(page, "funktioner.csv", f'{HEADER}\nsdk:inläst-c;"Ny;;;\nsdk:inläst-e;Ännu en;;;\n')
    expect(page.locator("p.error")).to_have_text(
        f"Rad 2: Det går inte att läsa som CSV eller JSON. {WRONG_FILE}"
    )
    take_in(page, "funktioner.csv", bad.replace("sdk:inläst-d;;", "sdk:inläst-d;Fjärde;"))
    expect(page.get_by_text("2 nya och 1 ändrade funktionsadresser.")).to_be_visible()
    assert shown(page) == {"Nytt namn", "Skuldrådgivning", "Ny", "Fjärde"}
    page.get_by_role("link", name="Nytt namn").click()
    expect(page.get_by_label("Namn", exact=True)).to_have_value("Nytt namn")


def test_functions_are_taken_in_in_the_federation_s_form(eva):
    page = eva.page

    def a_file(*names: str) -> str:
        items = [
            {"type": "addresses", "attributes": {"identifier": f"sdk:inläst-{number}", "name": name}}
            for number, name in enumerate(names)
        ]
        items[0]["attributes"] |= {"searchWords": ["umgänge"], "categories": [{"name": "Socialtjänst"}]}
        return json.dumps({"data": items})

    take_in(page, "adresser.json", a_file("Familjerätten", "", "Skuldrådgivning"))
    expect(page.locator("p.error")).to_have_text(f"Funktion nummer 2 i filen: Namnet saknas. {WRONG_FILE}")
    assert shown(page) == set()
    eva.check_accessibility()
    take_in(page, "adresser.json", a_file("Familjerätten", "Skuldrådgivning"))
    expect(page.get_by_text("2 nya och 0 ändrade funktionsadresser.")).to_be_visible()
    page.get_by_role("link", name="Familjerätten").click()
    expect(page.get_by_label(re.compile("^Sökord"))).to_have_value("umgänge")
    expect(page.get_by_label(re.compile("^Kategorier"))).to_have_value("Socialtjänst")


def test_a_function_is_closed_with_a_successor(eva):
    page = eva.page
    take_in(page, "a.csv", "identifier;name\nsdk:inläst-a;Familjerätten\nsdk:inläst-b;Familjecentralen\n")
    page.get_by_role("link", name="Familjerätten").click()
    page.get_by_label("Efterträdare").select_option("Familjecentralen")
    eva.check_accessibility()
    page.get_by_role("button", name="Stäng funktionen").click()
    expect(page.get_by_text("Funktionen är stängd och tar inte emot nya meddelanden.")).to_be_visible()
    expect(page.get_by_text("De går till Familjecentralen.")).to_be_visible()
    expect(page.get_by_role("button", name="Stäng funktionen")).to_have_count(0)
    eva.check_accessibility()
    page.get_by_role("link", name="Familjecentralen").click()
    expect(page.get_by_role("heading", level=1, name="Familjecentralen")).to_be_visible()
    page.get_by_role("link", name="Funktionsadresser").last.click()
    closed = page.get_by_role("row").filter(has_text="sdk:inläst-a")
    expect(closed).to_contain_text("Stängd, ersatt av Familjecentralen")
    # It cannot itself be what another is succeeded by.
    page.get_by_role("link", name="Familjecentralen", exact=True).click()
    expect(page.get_by_label("Efterträdare").get_by_role("option", name="Familjerätten")).to_have_count(0)


def import_file(page: Page, content: bytes, *, purpose: str = "", passphrase: str = "") -> None:
    form = page.locator("form[enctype]")
    form.get_by_label("Fil", exact=True).set_input_files(
        {"name": "certifikat", "mimeType": "application/octet-stream", "buffer": content}
    )
    if purpose:
        form.get_by_label("Om filen är PKCS#12: ändamål").select_option(purpose)
    form.get_by_label("Om filen är PKCS#12: lösenord").fill(passphrase)
    form.get_by_role("button", name="Läs in").click()


def is_refused(eva: Caseworker, why: str) -> None:
    expect(eva.page.get_by_role("alert")).to_contain_text(why)
    assert eva.page.title().startswith("Fel:")
    expect(eva.page.locator(".field.is-wrong")).to_contain_text(why)
    eva.check_accessibility()


def test_a_certificate_is_taken_in_and_what_does_not_fit_is_told(two_nodes, eva):
    page = eva.page
    page.get_by_role("link", name="Certifikat").click()
    expect(page.get_by_role("heading", level=1, name="Certifikat")).to_be_visible()
    waiting = page.get_by_role("link", name="Hämta begäran")
    before = waiting.count()
    page.get_by_label("Ändamål", exact=True).select_option("Signering")
    page.get_by_role("button", name="Skapa nyckel och begäran").click()
    expect(waiting).to_have_count(before + 1)
    with page.expect_download() as download:
        waiting.last.click()
    files = two_nodes.federation.issue_organisation_key("taken-in", "Håbo kommun kryptering")
    certificate = load_certificate(files.certificate)
    # Of another key than that of the request.
    import_file(page, files.certificate.read_bytes())
    is_refused(eva, "Ingen begäran härifrån väntar på det certifikatet.")
    import_file(page, b"inget certifikat")
    is_refused(eva, "Filen är varken ett certifikat (PEM eller DER) eller PKCS#12.")
    expect(waiting).to_have_count(before + 1)
    request = download.value.path().read_text()
    answer = issued(two_nodes.federation, request, like=files.certificate)
    import_file(page, answer)
    expect(page.get_by_text("Certifikatet är inläst.")).to_be_visible()
    expect(waiting).to_have_count(before)
    taken = fingerprint(x509.load_pem_x509_certificate(answer))[:16]
    expect(page.get_by_role("row").filter(has_text=taken)).to_contain_text("Väntar på att publiceras")
    eva.check_accessibility()

    bundle = a_bundle(load_key(files.key), certificate)
    import_file(page, bundle, purpose="Kryptering", passphrase="fel")
    is_refused(eva, "Lösenordet är inte filens.")
    stray = load_key(two_nodes.federation.issue_organisation_key("stray", "Annan").key)
    import_file(page, a_bundle(stray, None, beside=[certificate]), purpose="Kryptering", passphrase="hemligt")
    is_refused(eva, "Filen saknar privat nyckel, eller det certifikat som hör till den.")
    import_file(page, bundle, purpose="Kryptering", passphrase="hemligt")
    expect(page.get_by_text("Certifikatet är inläst.")).to_be_visible()
    taken = two_nodes.habo.query(
        "SELECT purpose FROM message_service_organisationkey ORDER BY id DESC LIMIT 2"
    )
    assert taken == [("encryption",), ("signing",)]
    assert "hemligt" not in page.content()
