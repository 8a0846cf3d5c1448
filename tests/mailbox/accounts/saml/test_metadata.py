"""The metadata of providers: signed, valid, fetched again, and kept while its address does not answer."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.utils import timezone
from lxml import etree

from mailbox import tasks
from mailbox.accounts.saml import answer, configuration, provider_metadata
from mailbox.accounts.saml.provider_metadata import MetadataRejected
from mailbox.models import SamlMetadata
from testbed.saml_provider import Asked, SamlProvider
from tests.mailbox.accounts.saml.conftest import HOST, KARIN, files
from transport.outgoing_http import Answer, NoAnswer

pytestmark = pytest.mark.django_db
ADDRESS = "https://md.example/idp.xml"


@pytest.fixture
def served(provider, settings, monkeypatch):
    """What the federation's address answers: a text, or None where it does not answer."""
    settings.SDK_SAML_METADATA = ADDRESS
    served = {"document": provider.metadata()}

    def fetch(method: str, url: str, **options: object) -> Answer:
        assert (method, url) == ("GET", ADDRESS)
        if served["document"] is None:
            raise NoAnswer
        return Answer(HTTPStatus.OK, {}, served["document"].encode())

    monkeypatch.setattr(provider_metadata, "request", fetch)
    return served


def names() -> list[str]:
    try:
        return [each.entity_id for each in provider_metadata.providers()]
    except MetadataRejected as rejected:
        return [rejected.reason]


def test_a_file_is_read_again_when_it_has_changed(provider, settings, tmp_path):
    assert names() == [provider.entity_id]
    (tmp_path / "metadata.xml").write_text(provider.metadata(valid=timedelta(seconds=-1)))
    assert names() == ["expired"]
    (tmp_path / "metadata.xml").unlink()
    assert names() == ["no-file"]


def test_metadata_that_somebody_else_signed_is_not_taken(provider, settings, tmp_path, key_directory):
    stranger = SamlProvider(provider._register, "https://eid.example/saml", files(key_directory, "stranger"))
    (tmp_path / "metadata.xml").write_text(stranger.metadata())
    assert names() == ["signature"]
    (tmp_path / "metadata.xml").write_text(provider.metadata(is_signed=False))
    assert names() == ["unsigned"]
    (tmp_path / "metadata.xml").write_text(provider.metadata().replace("eid.example", "evil.example"))
    assert names() == ["signature"]


def test_signed_metadata_within_other_metadata_vouches_for_nothing_else(provider, tmp_path):
    # The outer element's signature has to be the first one that xmlsec1 finds, and its own.
    signed = etree.fromstring(provider.metadata().encode())
    outer = etree.Element(signed.tag, nsmap=signed.nsmap, ID="_outer", entityID="https://evil.example")
    outer.append(signed)
    (tmp_path / "metadata.xml").write_bytes(etree.tostring(outer))
    assert names() == ["unsigned"]
    forged = etree.SubElement(outer, "{http://www.w3.org/2000/09/xmldsig#}Signature")
    info = etree.SubElement(forged, "{http://www.w3.org/2000/09/xmldsig#}SignedInfo")
    etree.SubElement(info, "{http://www.w3.org/2000/09/xmldsig#}Reference", URI="#_outer")
    (tmp_path / "metadata.xml").write_bytes(etree.tostring(outer))
    assert names() == ["not-the-first-signature"]


def test_the_federation_s_key_may_change(provider, settings, tmp_path, key_directory):
    new = files(key_directory, "new-signer")
    both = tmp_path / "signers.pem"
    both.write_bytes(new.certificate.read_bytes() + provider.files.certificate.read_bytes())
    settings.SDK_SAML_METADATA_CERTIFICATE = str(both)
    assert names() == [provider.entity_id]


def test_the_provider_s_key_may_change(provider, settings, tmp_path, key_directory):
    settings.SDK_SAML_METADATA_CERTIFICATE = ""
    new = SamlProvider(provider._register, "https://eid.example/saml", files(key_directory, "new-provider"))
    ours = etree.parse(str(tmp_path / "metadata.xml")).getroot()
    key = new.metadata(is_signed=False).partition("<md:KeyDescriptor")[2].partition("</md:KeyDescriptor>")[0]
    both = provider.metadata(is_signed=False).replace(
        "</md:KeyDescriptor>", f"</md:KeyDescriptor><md:KeyDescriptor{key}</md:KeyDescriptor>"
    )
    (tmp_path / "metadata.xml").write_text(both)
    certificate = files(key_directory, "node").certificate
    own = "".join(certificate.read_text().splitlines()[1:-1])
    asked = Asked("_asked", configuration.entity_id(), configuration.answer_url(), own)
    for each in (provider, new):
        assert answer.read(each.login(asked, KARIN).encode()).provider == ours.get("entityID")


def test_it_is_fetched_and_kept_while_the_address_does_not_answer(provider, served):
    assert names() == ["not-fetched-yet"]
    tasks.refresh_saml_metadata()
    assert names() == [provider.entity_id]
    first = SamlMetadata.objects.get().fetched_at
    for useless in (
        None,
        "",
        "<html/>",
        provider.metadata(is_signed=False),
        provider.metadata(valid=-timedelta(1)),
    ):
        served["document"] = useless
        tasks.refresh_saml_metadata()
        assert names() == [provider.entity_id]
        assert SamlMetadata.objects.get().fetched_at == first
    served["document"] = provider.metadata()
    tasks.refresh_saml_metadata()
    assert SamlMetadata.objects.get().fetched_at > first


def test_what_was_kept_ends_when_it_says(provider, served, monkeypatch):
    tasks.refresh_saml_metadata()
    assert names() == [provider.entity_id]
    later = timezone.now() + timedelta(days=8)
    monkeypatch.setattr(provider_metadata.timezone, "now", lambda: later)
    assert names() == []


def test_what_was_changed_in_the_database_is_not_taken(provider, served):
    tasks.refresh_saml_metadata()
    row = SamlMetadata.objects.get()
    row.document, row.fetched_at = row.document.replace("eid.example", "evil.example"), timezone.now()
    row.save()
    assert names() == ["signature"]


def test_a_new_node_fetches_it_at_the_first_login(client, provider, served):
    assert b"eid.example" in client.get("/logga-in", **HOST).content
    begun = client.get("/saml/borja", {"provider": provider.entity_id}, **HOST)
    assert begun.headers["Location"].startswith("https://eid.example/saml/login?")
    assert b"Test-SAML" in client.get("/logga-in", **HOST).content


def test_an_address_needs_a_certificate_and_an_end(provider, served, settings):
    settings.SDK_SAML_METADATA_CERTIFICATE = ""
    with pytest.raises(MetadataRejected) as rejected:
        provider_metadata.read(provider.metadata().encode())
    assert rejected.value.reason == "no-certificate"
