"""The commands of the documentation without running them: what they name is there, and agrees with deploy/.

`make test-production` runs them (test_first_time.py); this is its short form for every run of the tests.
"""

import re
import shlex
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from sdkportal.setup import answers, environment_file
from sdkportal.startup.command_line import ENVIRONMENT_FILE
from tests.production.bare_debian import packages_of_the_document
from tests.production.document import DOCS, FillIn, Step, block_of, steps_of, words_in_capitals

DEPLOY = DOCS.parent / "deploy"
FIRST_TIME = steps_of("production.md", "## First time")
UPGRADE = steps_of("upgrading.md", "## How to")
COMMANDS = [command for step in (*FIRST_TIME, *UPGRADE) for command in step.commands]
UNITS = {path.name: path.read_text() for path in (DEPLOY / "systemd").iterdir()}
# A command with what follows it.
CALLED = re.compile(r"(?:manage\.py|(?<![\w./-])(?<!-A )sdkportal|/bin/sdkportal) ([a-z_]+)([^|;&]*)")
# `sdkportal setup` is no management command: it runs before there are settings.
SETUP_OPTIONS = {"--from", "--environment", "--replace"}


def values_of(setting: str) -> set[str]:
    """What the units say of a setting of systemd's."""
    return {value for unit in UNITS.values() for value in re.findall(rf"^{setting}=(.+)$", unit, re.M)}


def installed_files() -> set[str]:
    """The paths of files that the commands of the first time put in place by `install`."""
    found = set()
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "install" and "-d" not in words:
            *sources, target = [word for word in words[1:] if "." in word or "/" in word]
            into = target if target.endswith("/") else ""
            found |= {f"{into}{Path(source).name}" if into else target for source in sources}
    return found


def made_directories() -> set[str]:
    return {word for command in COMMANDS if command.startswith("install -d ") for word in command.split()}


def test_the_chapters_have_their_commands():
    assert [step.number for step in FIRST_TIME] == list(range(15))
    assert len(COMMANDS) > 50


def test_a_step_s_commands_are_read_as_they_are_typed():
    assert Step(1, ("one \\", "    two", "three")).commands == ("one two", "three")
    with pytest.raises(ValueError, match="has no"):
        steps_of("production.md", "## Nothing")
    fill_in = FillIn({"VERSION": "1.0", "PASSWORD": "x"})
    assert fill_in("tar xf sdkportal-VERSION.tar") == "tar xf sdkportal-1.0.tar"
    assert fill_in.unused == {"PASSWORD"}


def test_what_is_to_be_filled_in_is_told_before_the_first_step():
    text = (DOCS / "production.md").read_text()
    introduction = text.partition("## First time\n")[2].partition("\n1. ")[0]
    words = words_in_capitals(COMMANDS)
    assert {"OWNER-PASSWORD", "BROKER-PASSWORD"} <= words
    assert [word for word in sorted(words) if f"`{word}`" not in introduction] == []


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_option_of_a_command_exists(page):
    text = re.sub(r"\s*\\\n\s*", " ", (DOCS / page).read_text())
    fenced = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"^ {4,}(.*)$", text, re.MULTILINE)
    lines += [" ".join(words.split()) for words in re.findall(r"`([^`]+)`", text)]
    unknown = []
    for line in lines:
        for name, rest in CALLED.findall(line):
            options = set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", rest))
            known = SETUP_OPTIONS if name == "setup" else options_of(name)
            unknown += [f"{name} {option}" for option in options - known]
    assert unknown == []


def options_of(name: str) -> set[str]:
    """The long options of a management command; none of what is no command."""
    application = get_commands().get(name)
    if application is None:
        return set()
    parser = load_command_class(application, name).create_parser("sdkportal", name)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_of_the_first_time_and_of_an_upgrade_is_one_of_ours():
    names = {name for command in COMMANDS for name, _ in CALLED.findall(command)}
    assert {"setup", "migrate", "collectstatic", "doctor", "sync_address_book"} <= names
    assert names - set(get_commands()) - {"setup"} == set()


def test_every_unit_that_is_named_exists_and_each_is_started():
    named = set()
    for command in COMMANDS:
        words = command.split()
        if words[0] == "systemctl":
            named |= {word for word in words[2:] if word.startswith("sdkportal-")}
    files = {name if "." in name else f"{name}.service" for name in named}
    assert files == UNITS.keys()


def test_units_run_what_the_bundle_installs_where_the_document_installs_it():
    installed = {entry.name for entry in entry_points(group="console_scripts")} | {"sdkportal"}
    for line in values_of("ExecStart") | values_of("ExecStartPre"):
        program, _, rest = line.partition(" ")
        place, name = program.rsplit("/", 1)
        assert (place, name in installed) == ("/opt/sdkportal/.venv/bin", True), line
        assert "manage.py" not in rest, "a wheel has no manage.py"
    assert values_of("WorkingDirectory") == {"/opt/sdkportal"}
    assert any(command.startswith("ln -sfn ") and command.endswith(" /opt/sdkportal") for command in COMMANDS)


def test_units_and_document_agree_on_user_files_and_directories():
    (user,) = values_of("User")
    assert f"adduser --system --group --home /var/lib/sdkportal --shell /usr/sbin/nologin {user}" in COMMANDS
    assert values_of("EnvironmentFile") == {str(ENVIRONMENT_FILE)}
    (credentials,) = values_of("LoadCredential")
    assert credentials.partition(":")[2] in made_directories()
    assert values_of("ReadWritePaths") == {"/var/lib/sdkportal"}


def test_what_settings_and_proxy_read_is_put_there():
    defaults = environment_file.defaults(ENVIRONMENT_FILE.parent)
    files = {value for value in defaults.values() if value.endswith((".pem", ".key"))}
    # Setup makes that key itself.
    files.discard(defaults["SDK_ACCESS_POINT_KEY"])
    proxy = (DEPLOY / "nginx" / "sdkportal.conf").read_text()
    files |= set(re.findall(r"^\s*ssl_\w+\s+(/\S+);", proxy, re.M))
    assert len(files) == 8
    assert files - installed_files() == set()
    trusted = {f"{defaults['SDK_TRUST_DIR']}/{name}" for name in ("access-points", "smp", "organisations")}
    assert trusted <= made_directories()
    assert {f"{name}/{Path(name).name}.pem" for name in trusted} <= installed_files()


def test_files_of_deploy_that_commands_name_are_there():
    named = {path for command in COMMANDS for path in re.findall(r"/opt/sdkportal\S*?/deploy/(\S+)", command)}
    assert len(named) > 3
    assert [path for path in named if not list(DEPLOY.glob(path))] == []
    broker = (DEPLOY / "valkey" / "sdkportal.conf").read_text()
    assert "CHANGE-THIS-TO-32-RANDOM-CHARACTERS" in broker


def test_the_answers_are_what_setup_understands():
    told = answers.understood(tomllib.loads(block_of("production.md", "### The answers of setup")))
    hosts = told.settings["SDK_ALLOWED_HOSTS"].split(",")
    proxy = (DEPLOY / "nginx" / "sdkportal.conf").read_text().replace("kommun.example", "habo.example")
    assert set(re.findall(r"server_name (\S+);", proxy)) == set(hosts)
    assert told.settings["SDK_PUBLIC_URL"] == f"https://{hosts[0]}"
    assert told.settings["SDK_BACKUP_TARGET"] in made_directories()


def test_the_proxy_allows_no_older_tls_beside_debian_s_own_configuration():
    """In `http` the directive would add to Debian's, which has TLS 1.0 there; a server's own replaces it."""
    proxy = (DEPLOY / "nginx" / "sdkportal.conf").read_text()
    servers = re.findall(r"^server \{$.*?^\}$", proxy, re.M | re.S)
    assert len(servers) == 2
    assert all("\n    ssl_protocols TLSv1.2 TLSv1.3;\n" in server for server in servers)
    assert re.findall(r"^ssl_protocols", proxy, re.M) == []


def test_a_machine_gets_what_the_image_has():
    text = re.sub(r"\s*\\\n\s*", " ", (DEPLOY / "Containerfile").read_text())
    *_, line = re.findall(r"--no-install-recommends (.+?) && ", text)
    # On a machine the server brings its client with it.
    assert set(line.split()) - {"postgresql-client"} <= set(packages_of_the_document())
