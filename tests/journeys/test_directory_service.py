"""A directory service is let in by two administrators, gives a mailbox by a group, and locks out who left."""

import re
from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from playwright.sync_api import expect

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("nodes")]
SUBJECT = "199912312395"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def test_a_directory_service_gives_a_mailbox_and_locks_out_who_left(
    two_nodes, caseworker, second_administrator
):
    eva, ahmed = caseworker(two_nodes.habo, "Eva Holm"), second_administrator
    page = eva.page
    page.goto(f"{eva.url}/administration/")
    page.get_by_role("link", name="Katalogtjänst", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Katalogtjänst")).to_be_visible()
    page.get_by_role("button", name="Skapa nyckeln").click()
    expect(page.get_by_role("alert")).to_contain_text("Skriv ett namn")
    eva.check_accessibility()
    page.get_by_label("Namn", exact=True).fill("Entra ID")
    page.get_by_label("Gäller till och med").fill((timezone.localdate() + timedelta(days=90)).isoformat())
    page.get_by_role("button", name="Skapa nyckeln").click()
    expect(page.get_by_role("heading", name="Den nya nyckeln")).to_be_visible()
    secret = re.search(r"sdkscim_[\w-]{43}", page.content())[0]
    eva.check_accessibility()

    def ask(method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(
            method,
            f"{eva.url}/scim/v2/{path}",
            json=body,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=40,
        )

    assert ask("GET", "Users").status_code == 401, "one person lets nobody in"
    ahmed.page.goto(page.url)
    ahmed.page.get_by_role("button", name=re.compile("^Bekräfta")).click()
    expect(ahmed.page.get_by_text("Nyckeln är bekräftad och gäller nu.")).to_be_visible()

    user = ask("POST", "Users", {"schemas": [USER], "userName": SUBJECT, "displayName": "Lo Ny"}).json()["id"]
    members = [{"value": user}]
    made = ask("POST", "Groups", {"schemas": [GROUP], "displayName": "Nya laget", "members": members})
    assert made.status_code == 201
    assert ask("GET", 'Users?filter=title eq "x"').status_code == 400
    page.goto(page.url)
    expect(page.get_by_text("filtret stöds inte")).to_be_visible()
    page.get_by_role("link", name="Nya laget").click()
    expect(page.get_by_role("heading", level=1, name="Nya laget")).to_be_visible()
    page.get_by_label("Brevlåda", exact=True).select_option(index=1)
    page.get_by_role("button", name="Koppla").click()
    expect(page.get_by_text("Gruppens användare är nu medlemmar i brevlådan.")).to_be_visible()
    eva.check_accessibility()
    page.get_by_role("table").get_by_role("link").first.click()
    row = page.get_by_role("row").filter(has_text="Lo Ny")
    expect(row).to_contain_text("genom katalogtjänsten")
    off = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    assert ask("PATCH", f"Users/{user}", off).status_code == 200
    row.get_by_role("link", name="Lo Ny").click()
    expect(page.get_by_text("Spärrad", exact=True)).to_be_visible()
    page.goto(f"{eva.url}/administration/logg")
    expect(page.get_by_role("row").filter(has_text="Personen spärrades").first).to_contain_text("Entra ID")
    assert ask("DELETE", f"Groups/{made.json()['id']}").status_code == 204
    assert ask("DELETE", f"Users/{user}").status_code == 204
