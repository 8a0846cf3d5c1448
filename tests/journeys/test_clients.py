"""Another message client is registered, confirmed by a second person, and comes in; functions are routed."""

import re

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import expect

from tests.transport.message_api.client import OtherMakersClient

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
ELDERLY = "sdk:bistandshandlaggning:0203:habo.se"


def test_a_client_is_registered_by_one_confirmed_by_another_and_comes_in(
    two_nodes, caseworker, second_administrator
):
    eva, ahmed = caseworker(two_nodes.habo, "Eva Holm"), second_administrator
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name="Klienter", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="Journalen")).to_have_count(0)
    page.get_by_label(re.compile("^Klientens namn")).fill("journal habo")
    page.get_by_label("Vad den kallas").fill("Journalen")
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_role("alert")).to_contain_text("Skriv ett namn")
    assert page.title().startswith("Fel:")
    eva.check_accessibility()
    page.get_by_label(re.compile("^Klientens namn")).fill("journal.habo.se")
    page.get_by_role("button", name="Registrera").click()
    expect(page.get_by_role("heading", level=1, name="Journalen")).to_be_visible()
    address = page.url

    page.get_by_label("Funktionsadresser", exact=True).fill(ELDERLY)
    for text in ("lista meddelanden", "hämta ett meddelande"):
        page.get_by_label(text).check()
    page.get_by_role("button", name="Föreslå", exact=True).click()
    key = ECKey.generate_key("P-256", auto_kid=True)
    page.get_by_label("Publik nyckel", exact=True).fill("ingen nyckel")
    page.get_by_role("button", name="Föreslå nyckeln").click()
    expect(page.get_by_role("alert")).to_contain_text("ingen publik nyckel")
    expect(page.get_by_label("Publik nyckel", exact=True)).to_have_value("ingen nyckel")
    page.get_by_label("Publik nyckel", exact=True).fill(key.as_pem(private=False).decode())
    page.get_by_role("button", name="Föreslå nyckeln").click()
    expect(page.get_by_role("button", name=re.compile("^Bekräfta"))).to_have_count(0)
    eva.check_accessibility()
    client = OtherMakersClient(f"{eva.url}/v1", f"{eva.url}/v1/token", "journal.habo.se", key)
    assert client.ask_for_token().status_code in {400, 401}, "one person lets nobody in"

    ahmed.page.goto(address)
    ahmed.check_accessibility()
    for name in ("Bekräfta vad klienten får göra", "Bekräfta nyckeln"):
        ahmed.page.get_by_role("button", name=name).click()
        expect(ahmed.page.get_by_text("Det är bekräftat och gäller nu.")).to_be_visible()
    client.log_in(scope="urn:sdk.api:getMessageByFilter")
    assert client.found() == []
    page.goto(f"{eva.url}/administration/klienter/")
    row = page.get_by_role("row").filter(has_text="Journalen")
    expect(row).to_contain_text(ELDERLY)
    expect(row).not_to_contain_text("Aldrig")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    eva.check_accessibility()

    page.get_by_role("link", name="Journalen").click()
    page.get_by_role("button", name="Stäng av klienten nu").click()
    expect(page.get_by_text("Klienten är avstängd")).to_be_visible()
    assert client.find().status_code == 401
    client.http.close()


def test_a_function_is_given_to_other_clients_and_back(two_nodes, caseworker):
    eva = caseworker(two_nodes.habo, "Eva Holm")
    page = eva.page
    page.goto(f"{eva.url}/administration/klienter/")
    page.get_by_role("link", name="Funktionernas klienter").click()
    eva.check_accessibility()
    page.get_by_label("Funktionsadress", exact=True).fill("sdk:provfunktion")
    page.get_by_role("button", name="Spara").click()
    expect(page.get_by_role("alert")).to_contain_text("Välj vems funktionen är.")
    expect(page.get_by_label("Funktionsadress", exact=True)).to_have_value("sdk:provfunktion")
    eva.check_accessibility()
    page.get_by_label("Andra klienter", exact=True).check()
    page.get_by_role("button", name="Spara").click()
    row = page.get_by_role("row").filter(has_text="sdk:provfunktion")
    expect(row).to_contain_text("Ingen: meddelanden blir liggande")
    expect(row).to_contain_text("Finns inte i er förteckning")
    eva.check_accessibility()
    row.get_by_role("button", name="Bara brevlådan").click()
    expect(page.get_by_role("row").filter(has_text="sdk:provfunktion")).to_have_count(0)
