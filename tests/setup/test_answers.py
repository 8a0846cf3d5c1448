"""What setup is told: on a terminal or in a file, checked before anything is written."""

import copy

import pytest

from sdkportal.setup import answers
from sdkportal.setup.answers import AnswersWrong, asked, read, understood
from testbed.node import PROJECT

GOOD = {
    "settings": {
        "SDK_ALLOWED_HOSTS": "sdk.habo.se",
        "SDK_DATABASE_URL": "postgresql://sdkportal:secret@db/sdk",
    },
    "access_point": {"name": "AP-HABO", "operator": "Håbo kommun"},
    "organisations": [
        {
            "participant": "0203:HABO.se",
            "name": "Håbo kommun",
            "mailboxes": [{"address": "sdk:mottagning", "name": "Mottagning"}],
            "people": [
                {
                    "subject": "191212121212",
                    "name": "Eva",
                    "administrator": True,
                    "mailboxes": ["sdk:mottagning"],
                }
            ],
        }
    ],
}


def changed(*path: object, to: object) -> dict:
    told = copy.deepcopy(GOOD)
    place = told
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return told


def test_good_answers_are_understood():
    told = understood(GOOD)
    (organisation,) = told.organisations
    assert organisation.participant.value == "0203:habo.se"
    assert organisation.people[0].is_administrator
    assert not organisation.people[0].is_auditor
    assert organisation.mailboxes == {"sdk:mottagning": "Mottagning"}
    assert "191212121212" not in repr(told)


@pytest.mark.parametrize(
    ("told", "named"),
    [
        (changed("settings", "SDK_DATABASE_URL", to=""), "SDK_DATABASE_URL"),
        (changed("settings", "SDK_DATABASE_URL", to="mysql://sdkportal:secret@db"), "postgresql://"),
        (changed("settings", "SDK_PUBLIC_URL", to="http://sdk"), "https://"),
        (changed("settings", "SDK_MAIL_PASSWORD", to="secret\nSDK_DEMO=1"), "SDK_MAIL_PASSWORD"),
        (changed("settings", "SDK_MAIL_PASSWORD", to="secret'\0"), "SDK_MAIL_PASSWORD"),
        (changed("settings", "PATH", to="/"), "PATH"),
        (changed("settings", to=[]), "settings"),
        (changed("access_point", "name", to=""), "access_point"),
        (changed("organisations", to=[]), "organisations"),
        (changed("organisations", 0, to="0203:habo.se"), "organisations"),
        (changed("organisations", 0, "participant", to="habo"), "participant"),
        (changed("organisations", 0, "name", to="A\x00B"), "name"),
        (changed("organisations", 0, "people", 0, "subject", to=""), "subject"),
        (changed("organisations", 0, "people", 0, "mailboxes", to=["other"]), "mailbox"),
        (changed("organisations", 0, "mailboxes", to=["x"]), "mailboxes"),
        ({**GOOD, "organizations": []}, "organizations"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_is_repeated(told, named):
    with pytest.raises(AnswersWrong) as error:
        understood(told)
    assert named in str(error.value)
    assert "secret" not in str(error.value)


def test_a_file_that_is_missing_or_no_toml_is_told(tmp_path):
    with pytest.raises(AnswersWrong, match="cannot be read"):
        read(tmp_path / "missing")
    (tmp_path / "wrong.toml").write_text("settings = [")
    with pytest.raises(AnswersWrong, match="TOML"):
        read(tmp_path / "wrong.toml")


def test_answers_at_a_terminal_are_asked_for_and_secrets_are_not_shown():
    shown: list[str] = []
    hidden: list[str] = []
    given = {
        "Host names": "sdk.habo.se",
        "The access point's name": "AP-HABO",
        "Name of the first organisation": "Håbo kommun",
        "Its participant": "0203:habo.se",
        "Name of the first administrator": "Eva",
        "Personal number": "191212121212",
        "The broker's password": "s",
    }

    def answering(asked_for: list[str]):
        def ask(prompt: str) -> str:
            asked_for.append(prompt)
            return next((value for beginning, value in given.items() if prompt.startswith(beginning)), "")

        return ask

    told = asked(answering(shown), answering(hidden))
    assert told.settings["SDK_BROKER_URL"] == "redis://localhost:6379/0"
    assert told.settings["SDK_BROKER_PASSWORD"] == "s"
    assert "SDK_MAIL_HOST" not in told.settings
    assert [person.name for person in told.organisations[0].people] == ["Eva"]
    assert any("Personal number" in prompt for prompt in hidden)
    assert not any("assword" in prompt or "Personal number" in prompt for prompt in shown)


def test_the_example_of_the_documentation_is_understood(tmp_path):
    text = (PROJECT / "docs" / "production.md").read_text()
    example = text.partition("### The answers of setup\n")[2].partition("Any setting of")[0]
    (tmp_path / "answers.toml").write_text("\n".join(line.strip() for line in example.splitlines()))
    told = read(tmp_path / "answers.toml")
    (organisation,) = told.organisations
    assert [person.name for person in organisation.people] == ["Eva Ek", "Nils Granberg"]
    assert organisation.people[1].mailboxes == ("sdk:mottagning:0203:habo.se",)
    assert set(told.settings) >= {question.variable for question in answers._QUESTIONS}
