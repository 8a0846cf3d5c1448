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


@pytest.mark.parametrize(
    ("url", "hosts", "ports", "attributes"),
    [
        ("postgresql://anna@db/sdk", "db", "", None),
        ("postgresql://anna@db:5433/sdk", "db", "5433", None),
        ("postgresql://anna:x@db1:5433,db2:5434/sdk", "db1,db2", "5433,5434", "read-write"),
        ("postgresql://anna@db1,db2:5434/sdk", "db1,db2", ",5434", "read-write"),
        ("postgresql://anna@db1,db2/sdk", "db1,db2", "", "read-write"),
        ("postgresql://anna@/sdk?host=db1,db2&port=5433,5434", "db1,db2", "5433,5434", "read-write"),
        ("postgresql://anna@db1,db2/sdk?target_session_attrs=primary", "db1,db2", "", "primary"),
        ("postgresql:///sdk?host=%2Frun%2Fpostgresql", "/run/postgresql", "", None),
    ],
)
def test_a_database_may_have_several_servers(monkeypatch, url, hosts, ports, attributes):
    monkeypatch.setenv("SDK_X", url)
    database = env.database("SDK_X", "")
    assert (database["HOST"], database["PORT"]) == (hosts, ports)
    assert database["OPTIONS"].get("target_session_attrs") == attributes


def test_a_server_that_is_reached_by_a_network_may_vanish(monkeypatch):
    """Unless the address says how long it is waited for; one on this machine ends its connections itself."""
    monkeypatch.setenv("SDK_X", "postgresql://db/sdk?connect_timeout=8")
    assert env.database("SDK_X", "")["OPTIONS"] == {
        "connect_timeout": "8",
        "keepalives_idle": "5",
        "keepalives_interval": "3",
        "keepalives_count": "2",
        "tcp_user_timeout": "10000",
    }
    monkeypatch.setenv("SDK_X", "postgresql:///sdk?host=/run/postgresql")
    assert env.database("SDK_X", "")["OPTIONS"] == {}


@pytest.mark.parametrize("url", ["postgresql://db:x/sdk", "postgresql://db1:1,db2:x/sdk"])
def test_a_database_s_port_is_a_number(monkeypatch, url):
    monkeypatch.setenv("SDK_X", url)
    with pytest.raises(ImproperlyConfigured, match="SDK_X"):
        env.database("SDK_X", "")
