"""The key that wraps data keys, from the environment or in a PKCS#11 token (SoftHSM), and its change."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from transport.storage.encryption import keys
from transport.storage.encryption.checks import a_wrapping_key_is_configured
from transport.storage.encryption.configured_keys import wrapping_key
from transport.storage.encryption.errors import Altered, TokenUnavailable, WrappingKeyMissing
from transport.storage.encryption.models import DataKey
from transport.storage.encryption.texts import open_text, seal_text

pytestmark = pytest.mark.django_db
OURS = "0203:a.se"
MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "938471"


def a_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def as_a_new_process() -> None:
    keys.key_of.cache_clear()
    keys.drop_cached()


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A token in software, made for these tests. One for the process: the library reads its settings once."""
    if not MODULE.exists() or not shutil.which("softhsm2-util"):
        if os.environ.get("CI"):
            pytest.fail("softhsm2 is missing: run scripts/install softhsm")
        pytest.skip("softhsm2 is missing: run scripts/install softhsm")
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "test", "--pin", PIN, "--so-pin", PIN],
        check=True,
        capture_output=True,
    )
    yield "test"
    os.environ.pop("SOFTHSM2_CONF")


@pytest.fixture
def in_token(settings, token):
    settings.SDK_PKCS11_MODULE = str(MODULE)
    settings.SDK_PKCS11_TOKEN = token
    settings.SDK_PKCS11_PIN = PIN
    settings.SDK_PKCS11_KEY = f"wrapping-{os.urandom(4).hex()}"
    call_command("wrap_data_keys", "--create")


def test_data_keys_are_stored_wrapped():
    key = keys.current_key(OURS)
    row = DataKey.objects.get()
    assert key.secret not in bytes(row.wrapped)
    assert row.wrapped_by == wrapping_key().name


def test_with_another_wrapping_key_nothing_opens_and_the_error_tells_no_key(settings):
    sealed = seal_text("hemligt", OURS, "here")
    settings.SDK_WRAPPING_KEY = a_key()
    as_a_new_process()
    with pytest.raises(WrappingKeyMissing) as caught:
        open_text(sealed, "here")
    assert settings.SDK_WRAPPING_KEY not in str(caught.value)


def test_an_old_wrapping_key_opens_until_data_keys_are_wrapped_anew(settings, capsys):
    sealed = seal_text("hemligt", OURS, "here")
    settings.SDK_OLD_WRAPPING_KEYS, settings.SDK_WRAPPING_KEY = [settings.SDK_WRAPPING_KEY], a_key()
    as_a_new_process()
    assert open_text(sealed, "here") == "hemligt"
    call_command("wrap_data_keys")
    assert "wrapped 1 data keys" in capsys.readouterr().out
    settings.SDK_OLD_WRAPPING_KEYS = []
    as_a_new_process()
    assert open_text(sealed, "here") == "hemligt"


@pytest.mark.parametrize("text", ["x", "åäö", "c2hvcnQ="])
def test_a_wrapping_key_that_is_none_is_told_of_without_repeating_it(settings, text):
    settings.SDK_WRAPPING_KEY = text
    with pytest.raises(ImproperlyConfigured) as caught:
        wrapping_key()
    assert text not in str(caught.value) or text == "x"
    assert [message.id for message in a_wrapping_key_is_configured()] == ["at_rest.E001"]


def test_the_check_says_what_is_missing_and_what_is_left_open(settings):
    assert a_wrapping_key_is_configured() == []
    settings.SDK_ACCEPT_PLAIN = True
    assert [message.id for message in a_wrapping_key_is_configured()] == ["at_rest.W001"]
    settings.SDK_WRAPPING_KEY = ""
    assert [message.id for message in a_wrapping_key_is_configured()] == ["at_rest.E001"]


def test_a_wrapped_key_moved_to_another_organisation_is_refused():
    ours = keys.current_key(OURS)
    keys.current_key("0203:b.se")
    row = DataKey.objects.get(participant_id="0203:b.se")
    row.wrapped = DataKey.objects.get(pk=ours.id).wrapped
    row.save()
    as_a_new_process()
    with pytest.raises(Altered):
        keys.current_key("0203:b.se")


def test_a_token_wraps_data_keys_and_its_own_key_cannot_be_taken_out(in_token):
    sealed = seal_text("hemligt", OURS, "here")
    assert DataKey.objects.get().wrapped_by.startswith("pkcs11:test/")
    as_a_new_process()
    assert open_text(sealed, "here") == "hemligt"
    import pkcs11

    with pkcs11.lib(str(MODULE)).get_token(token_label="test").open(user_pin=PIN) as session:
        key = session.get_key(
            object_class=pkcs11.ObjectClass.SECRET_KEY, label=wrapping_key().name.rpartition("/")[2]
        )
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            _ = key[pkcs11.Attribute.VALUE]


def test_data_keys_move_from_the_environment_to_a_token(settings, token):
    sealed = seal_text("hemligt", OURS, "here")
    settings.SDK_PKCS11_MODULE, settings.SDK_PKCS11_TOKEN = str(MODULE), token
    settings.SDK_PKCS11_PIN, settings.SDK_PKCS11_KEY = PIN, f"wrapping-{os.urandom(4).hex()}"
    call_command("wrap_data_keys", "--create")
    settings.SDK_WRAPPING_KEY = ""
    as_a_new_process()
    assert open_text(sealed, "here") == "hemligt"


def test_what_a_token_wrapped_is_bound_to_its_organisation(in_token):
    keys.current_key(OURS)
    DataKey.objects.update(participant_id="0203:b.se")
    as_a_new_process()
    with pytest.raises(Altered):
        keys.current_key("0203:b.se")


def test_a_token_serves_a_process_that_was_forked(in_token):
    sealed = seal_text("hemligt", OURS, "here")
    wrapping = wrapping_key()
    row = DataKey.objects.get()
    secret, wrapped, binding = keys.current_key(OURS).secret, bytes(row.wrapped), row.binding
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if wrapping.unwrap(wrapped, binding) == secret else 1)
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    as_a_new_process()
    assert open_text(sealed, "here") == "hemligt"


def test_a_token_without_the_key_or_with_another_pin_is_told_of(in_token, settings):
    settings.SDK_PKCS11_KEY = "no such key"
    with pytest.raises(WrappingKeyMissing, match="no such key"):
        keys.current_key(OURS)
    settings.SDK_PKCS11_PIN = "000000"
    with pytest.raises(TokenUnavailable) as caught:
        keys.current_key(OURS)
    assert "000000" not in str(caught.value)


def test_a_key_is_made_only_in_a_token():
    with pytest.raises(CommandError, match="PKCS#11"):
        call_command("wrap_data_keys", "--create")
