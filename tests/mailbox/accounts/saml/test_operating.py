"""What tells an operator of a node with SAML that it is well, or what is missing."""

from datetime import timedelta

import pytest

from mailbox.administration.members.forms import SubjectField
from sdkportal.doctor import services
from sdkportal.startup.checks import check_deployment
from tests.doctor.build import found
from tests.mailbox.accounts.saml.conftest import HOST

pytestmark = pytest.mark.django_db


def test_the_doctor_tells_of_providers_keys_and_the_program(provider, settings, tmp_path):
    assert found(services.saml) == [("OK", "")]
    program, settings.SDK_SAML_XMLSEC1 = settings.SDK_SAML_XMLSEC1, str(tmp_path / "missing")
    assert found(services.saml) == [("FAILURE", "saml-program")]
    settings.SDK_SAML_XMLSEC1 = program
    settings.SDK_SAML_KEY = settings.SDK_SAML_CERTIFICATE
    assert found(services.saml) == [("FAILURE", "saml-key")]
    (tmp_path / "metadata.xml").write_text(provider.metadata(valid=timedelta(seconds=-1)))
    assert found(services.saml) == [("FAILURE", "saml-unavailable")]


@pytest.mark.parametrize("name", ["KEY", "CERTIFICATE", "METADATA", "METADATA_CERTIFICATE", "XMLSEC1"])
def test_what_is_missing_is_no_error_of_a_page(client, provider, settings, tmp_path, name):
    setattr(settings, f"SDK_SAML_{name}", str(tmp_path / "missing"))
    assert client.get("/logga-in", **HOST).status_code == 200
    assert client.get("/saml/borja", {"provider": provider.entity_id}, **HOST).status_code == 302
    assert client.get("/saml/metadata", **HOST).status_code in {200, 503}
    assert client.post("/saml/svar", {"SAMLResponse": "PGEvPg=="}, **HOST).status_code == 302


def test_a_provider_that_the_metadata_lacks_is_told(provider, settings):
    settings.SDK_SAML_PROVIDERS = [provider.entity_id, "https://other.example"]
    assert found(services.saml) == [("FAILURE", "saml-unavailable")]


def test_a_node_without_saml_or_without_openid_connect_is_well(provider, settings):
    settings.OIDC_ISSUER = ""
    assert found(services.eid) == [("OK", "")]
    settings.SDK_SAML_METADATA = ""
    assert found(services.saml) == [("OK", "")]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SDK_SAML_PROVIDERS": []}, "SDK_SAML_PROVIDERS"),
        ({"SDK_SAML_KEY": ""}, "SDK_SAML_KEY"),
        ({"SDK_SAML_METADATA": "http://md.example/"}, "SDK_SAML_METADATA"),
        ({"SDK_SAML_METADATA_CERTIFICATE": ""}, "SDK_SAML_METADATA_CERTIFICATE"),
        ({"SDK_PUBLIC_URL": "http://sdk"}, "SDK_PUBLIC_URL"),
        ({"SDK_SAML_XMLSEC1": "/nowhere"}, "SDK_SAML_XMLSEC1"),
    ],
)
def test_the_check_names_what_is_missing(provider, settings, changes, named):
    settings.OIDC_ISSUER = ""
    before = {message.msg for message in check_deployment(None)}
    assert not any("SDK_SAML" in text or "SDK_OIDC" in text for text in before)
    for name, value in changes.items():
        setattr(settings, name, value)
    new = {message.msg for message in check_deployment(None)} - before
    assert any(text.startswith(named) for text in new), new


def test_whom_an_administrator_adds_is_named_as_the_provider_names_them(provider, settings):
    settings.OIDC_ISSUER = ""
    with pytest.raises(Exception, match="personnummer"):
        SubjectField().clean("SE2321000016-1234")
    settings.SDK_SAML_PERSON_ATTRIBUTE = "http://sambi.se/attributes/1/employeeHsaId"
    assert SubjectField().clean("SE2321000016-1234") == "SE2321000016-1234"
