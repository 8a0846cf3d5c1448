"""After a migration the server knows how many conversations an index of few is about."""

import ast

import pytest

from testbed.node import PROJECT

MIGRATIONS = sorted((PROJECT / "mailbox" / "migrations").glob("0*.py"))
# Older ones were made before a node had conversations.
FIRST = "0040"


def narrow_indexes(source: str) -> list[str]:
    """The names of indexes that a migration makes of a part of the conversations."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "AddIndexConcurrently":
            given = {each.arg: each.value for each in call.keywords}
            index = {each.arg: each.value for each in given["index"].keywords}
            if ast.literal_eval(given["model_name"]) == "conversation" and "condition" in index:
                found.append(ast.literal_eval(index["name"]))
    return found


OF_FEW = [path for path in MIGRATIONS if path.name > FIRST and narrow_indexes(path.read_text())]


@pytest.mark.parametrize("path", OF_FEW, ids=lambda path: path.name)
def test_what_makes_an_index_of_few_conversations_has_the_server_look_at_the_new_column(path):
    assert "ANALYZE mailbox_conversation (" in path.read_text()


def test_there_are_such_indexes():
    """Else the test above would look at none."""
    assert len(OF_FEW) >= 4
