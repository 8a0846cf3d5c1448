"""What a provider's answer has to be: each is made by pysaml2 and xmlsec1, and then changed."""

import logging
import re
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from lxml import etree
from saml2 import saml
from saml2.xmldsig import DIGEST_SHA1, SIG_RSA_SHA1

from mailbox.accounts.saml import answer, configuration, own_metadata, structure
from mailbox.accounts.saml.answer import AnswerRejected
from mailbox.models import UsedAssertion
from testbed.saml_provider import Asked, Changes, SamlProvider
from tests.mailbox.accounts.saml.conftest import KARIN, files

pytestmark = pytest.mark.django_db
LOA2 = "http://id.elegnamnden.se/loa/1.0/loa2"
PLAIN = Changes(encrypt=False)
UNSIGNED_OUTSIDE = Changes(encrypt=False, sign_response=False)
_XENC = "http://www.w3.org/2001/04/xmlenc#"


@pytest.fixture
def asked(provider) -> Asked:
    certificate = etree.fromstring(own_metadata.document()).findtext(".//{*}X509Certificate")
    return Asked("_asked", configuration.entity_id(), configuration.answer_url(), certificate)


@pytest.fixture
def plain(settings):
    """A node that takes assertions in the clear, in responses without a signature."""
    settings.SDK_SAML_ENCRYPTED_ASSERTION = False
    settings.SDK_SAML_SIGNED_RESPONSE = False


def cause_of(document: str | bytes) -> str:
    """Why an answer is refused; empty where it is not."""
    try:
        answer.read(document.encode() if isinstance(document, str) else document)
    except AnswerRejected as rejected:
        return rejected.cause
    return ""


def test_what_the_provider_says_is_read(provider, asked):
    read = answer.read(provider.login(asked, KARIN).encode())
    assert read.provider == provider.entity_id
    assert read.in_response_to == "_asked"
    assert read.attributes["urn:oid:1.2.752.29.4.13"] == [KARIN]
    assert answer.Answer.from_json(read.as_json()) == read


def test_an_assertion_in_the_clear_is_read_where_it_may_be(provider, asked, plain):
    assert cause_of(provider.login(asked, KARIN, UNSIGNED_OUTSIDE)) == ""


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (Changes(issuer="https://other.example"), "unknown-provider"),
        (Changes(assertion_issuer="https://other.example"), "another-issuer"),
        (Changes(destination="https://other.example/saml/svar"), "destination"),
        (Changes(destination=None), "destination"),
        (Changes(recipient="https://other.example/saml/svar"), "subject-confirmation"),
        (Changes(recipient=None), "verification-VerificationError"),
        (Changes(audience="https://other.example"), "verification-Exception"),
        (Changes(audience=None), "audience"),
        (Changes(in_response_to=None), "not-asked-for"),
        (Changes(confirmed_request="_another"), "subject-confirmation"),
        (Changes(confirmed_request=None), "subject-confirmation"),
        (Changes(ends=timedelta(seconds=-90)), "verification-VerificationError"),
        (Changes(begins=timedelta(seconds=90)), "verification-ToEarly"),
        (Changes(issued_at=timedelta(minutes=-11)), "issue-instant"),
        (Changes(issued_at=timedelta(seconds=90)), "issue-instant"),
        (Changes(method=saml.SCM_SENDER_VOUCHES), "subject-confirmation"),
        (Changes(sign_response=False), "response-unsigned"),
        (Changes(sign_assertion=False), "verification-SignatureError"),
        (Changes(encrypt=False), "not-encrypted"),
        (Changes(signature_algorithm=SIG_RSA_SHA1), "weak-signature"),
        (Changes(digest=DIGEST_SHA1), "weak-signature"),
        (Changes(key_transport=f"{_XENC}rsa-1_5"), "weak-encryption"),
        (Changes(cipher=f"{_XENC}tripledes-cbc", session_key="des-192"), "weak-encryption"),
    ],
)
def test_an_answer_that_is_not_as_it_has_to_be_is_refused(provider, asked, changes, cause):
    assert cause_of(provider.login(asked, KARIN, changes)) == cause
    assert not UsedAssertion.objects.exists()


@pytest.mark.parametrize("seconds", [-50, 50])
def test_clocks_may_differ_by_a_minute(provider, asked, seconds):
    skew = timedelta(seconds=seconds)
    changes = Changes(begins=max(skew, timedelta()), ends=timedelta(seconds=max(5, seconds)), issued_at=skew)
    assert cause_of(provider.login(asked, KARIN, changes)) == ""


def test_a_level_that_is_too_low_is_told(provider, asked):
    response = provider.response(asked, {"a": ["b"]}, LOA2, Changes())
    with pytest.raises(AnswerRejected) as rejected:
        answer.read(response.encode())
    assert (rejected.value.reason, rejected.value.level) == ("level", LOA2)


def test_another_key_than_the_metadata_s_signs_nothing(provider, asked, tmp_path, key_directory):
    stranger = SamlProvider(provider._register, "https://eid.example/saml", files(key_directory, "stranger"))
    assert cause_of(stranger.login(asked, KARIN)) == "verification-SignatureError"


def test_of_two_configured_providers_neither_speaks_for_the_other(
    provider, asked, settings, key_directory, plain, tmp_path
):
    other = SamlProvider(provider._register, "https://other.example/saml", files(key_directory, "stranger"))
    both = (
        '<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">'
        f"{provider.metadata(is_signed=False)}{other.metadata(is_signed=False)}</md:EntitiesDescriptor>"
    )
    (tmp_path / "both.xml").write_text(both)
    settings.SDK_SAML_METADATA, settings.SDK_SAML_METADATA_CERTIFICATE = str(tmp_path / "both.xml"), ""
    settings.SDK_SAML_PROVIDERS = [provider.entity_id, other.entity_id]
    assert cause_of(other.login(asked, KARIN)) == ""
    changes = replace(UNSIGNED_OUTSIDE, issuer=provider.entity_id)
    assert cause_of(other.login(asked, KARIN, changes)) == "verification-SignatureError"
    changes = replace(UNSIGNED_OUTSIDE, assertion_issuer=provider.entity_id)
    assert cause_of(other.login(asked, KARIN, changes)) != ""


def test_an_assertion_is_used_once(provider, asked):
    response = provider.login(asked, KARIN)
    assert cause_of(response) == ""
    assert cause_of(response) == "used"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_bring_an_assertion_at_once_one_is_let_in(provider, asked):
    response, causes = provider.login(asked, KARIN), []

    def bring() -> None:
        causes.append(cause_of(response))
        connection.close()

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(causes) == ["", "used", "used", "used"]


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (["http://id.elegnamnden.se/status/1.0/cancel"], "cancelled"),
        (["urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"], "level-unavailable"),
        (["urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"], "not-identified"),
        (
            [
                "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed",
                "http://id.elegnamnden.se/status/1.0/possibleFraud",
            ],
            "fraud",
        ),
        (["urn:oasis:names:tc:SAML:2.0:status:RequestDenied"], "other"),
        ([], "other"),
    ],
)
def test_a_provider_that_logs_nobody_in_says_why(provider, asked, codes, reason):
    with pytest.raises(AnswerRejected) as rejected:
        answer.read(provider.refusal(asked, *codes).encode())
    assert (rejected.value.cause, rejected.value.reason) == ("status", reason)


def test_a_refusal_that_somebody_else_made_is_not_shown(provider, asked):
    unsigned = provider.refusal(asked, changes=Changes(sign_response=False))
    assert cause_of(unsigned) == "response-unsigned"


# --- Signature wrapping: the eight ways of "On Breaking SAML" (Somorovsky and others, 2012) ----------------


OTHER = "198112289874"


def parts(element: str) -> tuple[str, str, str]:
    """A signed element's signature, the element without it, and that as somebody else would have it."""
    signature = re.search(r"<(\w+):Signature>.*?</\1:Signature>", element, re.DOTALL)[0]
    bare = element.replace(signature, "", 1)
    evil = re.sub(r' ID="_\w+"', ' ID="_evil"', bare, count=1).replace(KARIN, OTHER)
    return signature, bare, evil


def within(element: str, content: str) -> str:
    """An element with something more at its end."""
    beginning, end, name = element.rpartition("</")
    return f"{beginning}{content}{end}{name}"


def after_issuer(element: str, content: str) -> str:
    return re.sub(r"(</\w+:Issuer>)", lambda issuer: issuer[0] + content, element, count=1)


def wrapped_assertion(number: int, original: str) -> str:
    """What stands in the place of a signed assertion, by the ways 3 to 8."""
    signature, bare, evil = parts(original)
    return {
        3: evil + original,
        4: within(evil, original),
        5: after_issuer(evil, signature) + bare,
        6: after_issuer(evil, within(signature, bare)),
        7: f"<p:Extensions xmlns:p='{structure.PROTOCOL}'>{original}</p:Extensions>{evil}",
        8: after_issuer(evil, within(signature, f"<d:Object xmlns:d='{structure.DS}'>{bare}</d:Object>")),
    }[number]


def wrapped(number: int, response: str) -> str:
    """A response, wrapped by one of the eight ways: by 1 and 2 its own signature, by the others the
    assertion's."""
    assertion = re.search(r"<(\w+):Assertion .*</\1:Assertion>", response, re.DOTALL)[0]
    if number > 2:
        return response.replace(assertion, wrapped_assertion(number, assertion))
    signature, bare, evil = parts(response)
    return after_issuer(evil, within(signature, bare) if number == 1 else bare + signature)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_signature_that_is_wrapped_says_nothing_of_what_it_is_wrapped_in(provider, asked, plain, number):
    response = provider.login(asked, KARIN, PLAIN if number < 3 else UNSIGNED_OUTSIDE)
    document = wrapped(number, response)
    assert OTHER in document
    assert cause_of(document) in {
        "misplaced",
        "not-one-assertion",
        "assertion-unsigned",
        "same-id-twice",
        "signature-of-something-else",
    }
    assert cause_of(response) == ""


@pytest.mark.parametrize("number", [4, 6, 8])
def test_wrapping_inside_what_is_encrypted_and_signed_outside_is_no_better(provider, asked, number):
    signed = provider._signed

    def sign(text: str, name: str, identifier: str) -> str:
        made = signed(text, name, identifier)
        return wrapped_assertion(number, made) if name.endswith(":Assertion") else made

    provider._signed = sign
    assert cause_of(provider.login(asked, KARIN)) != ""


@pytest.mark.parametrize("number", [4, 6, 8])
def test_what_is_decrypted_is_judged_as_what_is_not(provider, asked, number):
    response = wrapped(number, provider.login(asked, KARIN, PLAIN))
    root = etree.fromstring(response.encode())
    with pytest.raises(structure.StructureRejected):
        structure.check_response(root, must_be_signed=False, must_be_encrypted=False, is_decrypted=True)


def test_a_comment_cuts_no_name_in_two(provider, asked, plain):
    response = provider.login(asked, KARIN, UNSIGNED_OUTSIDE)
    assert cause_of(response.replace(KARIN, f"{KARIN[:6]}<!-- -->{KARIN[6:]}")) == "declaration-or-comment"


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
        "<?xml-stylesheet href='x'?>",
    ],
)
def test_a_document_with_a_dtd_or_an_instruction_is_not_parsed(provider, asked, head):
    assert cause_of(f"{head}{provider.login(asked, KARIN)}") == "declaration-or-comment"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<",
        b"\x00",
        b"\xff\xfe<\x00",
        "<r:Response/>".encode("utf-16"),
        b"<a/>",
        b"<a>&b;</a>",
        b"<a>" * 9999,
    ],
)
def test_what_is_no_response_is_refused(provider, asked, document):
    assert cause_of(document) in {"not-xml", "not-utf-8", "no-response", "too-much"}


def test_a_changed_value_breaks_the_signature(provider, asked, plain):
    response = provider.login(asked, KARIN, UNSIGNED_OUTSIDE)
    assert cause_of(response.replace(KARIN, "198112289874")) == "verification-SignatureError"


def test_a_weak_cipher_is_taken_only_where_the_response_is_signed(provider, asked, settings):
    changes = Changes(cipher=f"{_XENC}aes256-cbc")
    assert cause_of(provider.login(asked, KARIN, changes)) == ""
    settings.SDK_SAML_SIGNED_RESPONSE = False
    assert cause_of(provider.login(asked, KARIN, replace(changes, sign_response=False))) == "weak-encryption"


def test_after_a_change_of_our_own_key_the_other_still_decrypts(provider, asked, settings, key_directory):
    new = files(key_directory, "new-node")
    both = key_directory / "old-node.pem"
    both.write_bytes((key_directory / "node.key").read_bytes() + (key_directory / "node.pem").read_bytes())
    settings.SDK_SAML_KEY, settings.SDK_SAML_CERTIFICATE = str(new.key), str(new.certificate)
    assert cause_of(provider.login(asked, KARIN)) == "not-one-assertion"
    settings.SDK_SAML_OTHER_KEYS = [str(both)]
    assert cause_of(provider.login(asked, KARIN)) == ""
    assert len(etree.fromstring(own_metadata.document()).findall(".//{*}X509Certificate")) == 4


def test_nothing_of_an_assertion_reaches_a_log_or_a_stream(provider, asked, plain, capfd):
    records = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage() + str(record.exc_info) + str(vars(record)))

    handler = Kept(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    try:
        cause_of(provider.login(asked, KARIN))
        cause_of(provider.login(asked, KARIN, UNSIGNED_OUTSIDE).replace("Karin", "Carin"))
        cause_of(provider.login(asked, KARIN, Changes(audience="https://other.example")))
    finally:
        logging.getLogger().removeHandler(handler)
    written = "".join([*records, *capfd.readouterr()])
    assert KARIN not in written
    assert "Svensson" not in written
