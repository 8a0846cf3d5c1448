"""The environment file that setup writes: closed, with secrets of its own, never overwritten unasked."""

import base64
import os
import subprocess

import pytest

from sdkportal.environment import add_file, read_file
from sdkportal.setup import environment_file
from sdkportal.setup.environment_file import FileExists, write
from sdkportal.startup import unsafe_settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "environment"


def test_it_is_closed_and_its_secrets_are_good_enough_to_start_with(path):
    before = os.umask(0)
    try:
        write(path, {"SDK_ALLOWED_HOSTS": "sdk.habo.se"}, replace=False)
    finally:
        os.umask(before)
    told = read_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(told["SDK_WRAPPING_KEY"])) == 32
    assert told["SDK_ACCESS_POINT_KEY"] == str(path.parent / "access-point.key")
    assert not unsafe_settings.problems(
        hosts=["sdk.habo.se"],
        is_demo=False,
        is_debug=False,
        secret_key=told["SDK_SECRET_KEY"],
        person_key=told["SDK_PERSON_KEY"],
        wrapping_keys=[told["SDK_WRAPPING_KEY"]],
    )
    assert [file.name for file in path.parent.iterdir()] == ["environment"]


def test_two_files_have_no_secret_in_common(path):
    write(path, {}, replace=False)
    write(path.with_name("other"), {}, replace=False)
    one, other = read_file(path), read_file(path.with_name("other"))
    assert not [name for name in environment_file._SECRETS if one[name] == other[name]]


def test_a_file_that_is_there_is_not_overwritten(path):
    path.write_text("SDK_SECRET_KEY=mine\n")
    with pytest.raises(FileExists):
        write(path, {}, replace=False)
    assert path.read_text() == "SDK_SECRET_KEY=mine\n"


def test_one_that_comes_a_moment_before_is_not_overwritten_either(path, monkeypatch):
    def come(*_):
        path.write_text("another's")
        return False

    monkeypatch.setattr(type(path), "exists", come)
    with pytest.raises(FileExists):
        write(path, {}, replace=False)
    assert path.read_text() == "another's"
    assert [file.name for file in path.parent.iterdir()] == ["environment"]


def test_replacing_keeps_the_secrets_and_the_file_that_was_there(path):
    write(path, {"SDK_SML_ZONE": "old"}, replace=False)
    before = read_file(path)
    for zone in ("new", "newer"):
        write(path, {"SDK_SML_ZONE": zone}, replace=True)
    after = read_file(path)
    assert after == {**before, "SDK_SML_ZONE": "newer"}
    assert read_file(path.with_name("environment.before"))["SDK_SML_ZONE"] == "new"
    assert path.with_name("environment.before").stat().st_mode & 0o777 == 0o600


def test_a_token_s_wrapping_key_is_not_made(path):
    write(path, {"SDK_PKCS11_MODULE": "/usr/lib/token.so"}, replace=False)
    assert "SDK_WRAPPING_KEY" not in read_file(path)


@pytest.mark.parametrize("value", ["plain", "two words", 'with "quotes"', "a=b#c;d", "\\back", "å$HOME", ""])
def test_values_come_back_as_they_were_by_our_reader_and_a_shell(path, value):
    write(path, {"SDK_X": value}, replace=False)
    assert read_file(path)["SDK_X"] == value
    script = f'. {path}; printf %s "$SDK_X"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == value


def test_the_process_s_own_variables_count_before_the_file_s(path, monkeypatch):
    path.write_text("# comment\n\n; another\nSDK_A=file\nSDK_B='file b'\nSDK_C=\"c\"\n")
    monkeypatch.setenv("SDK_A", "own")
    monkeypatch.delenv("SDK_B", raising=False)
    monkeypatch.setenv("SDK_C_FILE", "/elsewhere")
    monkeypatch.delenv("SDK_C", raising=False)
    add_file(path)
    assert (os.environ["SDK_A"], os.environ["SDK_B"]) == ("own", "file b")
    assert "SDK_C" not in os.environ
    monkeypatch.delenv("SDK_B")


def test_a_line_that_is_no_variable_is_told_by_its_number_alone(path):
    path.write_text("SDK_A=1\nsecret words\n")
    with pytest.raises(ValueError, match="line 2") as error:
        read_file(path)
    assert "secret" not in str(error.value)
