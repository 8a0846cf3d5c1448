"""A setting is read from the environment, or from a file in its place."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from sdkportal import environment as env


@pytest.fixture(params=["NAME_FILE", "credential"])
def in_a_file(request, tmp_path, monkeypatch):
    """Puts a setting's value into a file, in either way."""

    def put(name: str, value: str) -> None:
        if request.param == "NAME_FILE":
            (tmp_path / "value").write_text(value)
            monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "value"))
        else:
            (tmp_path / f"secrets_{name}").write_text(value)
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    return put


def test_every_kind_of_setting_can_stand_in_a_file(in_a_file, tmp_path):
    in_a_file("SDK_X", "secret\n")
    assert env.text("SDK_X") == "secret"
    in_a_file("SDK_X", "on\n")
    assert env.flag("SDK_X") is True
    in_a_file("SDK_X", "12\n")
    assert env.number("SDK_X", 1) == 12
    in_a_file("SDK_X", "a, b\n")
    assert env.words("SDK_X", "c") == ["a", "b"]
    in_a_file("SDK_X", f"{tmp_path}\n")
    assert env.path("SDK_X", tmp_path / "other") == tmp_path
    in_a_file("SDK_X", "postgresql://anna:s%20ecret@db:5433/sdk\n")
    assert env.database("SDK_X", "postgresql:///")["PASSWORD"] == "s ecret"


def test_a_setting_that_is_given_twice_is_an_error_that_does_not_say_it(in_a_file, monkeypatch):
    in_a_file("SDK_X", "secret-in-file")
    monkeypatch.setenv("SDK_X", "secret-in-environment")
    with pytest.raises(ImproperlyConfigured) as error:
        env.text("SDK_X")
    assert str(error.value) == "Set SDK_X or its file, not both."


def test_a_file_that_cannot_be_read_is_an_error_that_names_the_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("SDK_X_FILE", str(tmp_path / "away"))
    with pytest.raises(ImproperlyConfigured, match="SDK_X"):
        env.text("SDK_X", "default")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xfd")
    monkeypatch.setenv("SDK_X_FILE", str(tmp_path / "bytes"))
    with pytest.raises(ImproperlyConfigured, match="SDK_X"):
        env.text("SDK_X", "default")


def test_a_list_that_is_set_to_nothing_is_empty_and_one_that_is_not_set_is_the_default(monkeypatch):
    monkeypatch.setenv("SDK_X", "")
    assert env.words("SDK_X", "a") == []
    monkeypatch.delenv("SDK_X")
    assert env.words("SDK_X", "a") == ["a"]


def test_credentials_that_are_none_of_ours_leave_settings_as_they_are(monkeypatch, tmp_path):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("SDK_X", "from the environment")
    assert env.text("SDK_X") == "from the environment"
