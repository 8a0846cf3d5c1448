"""The layout that docs/architecture.md describes: no circles, rooms of a size, one way between them."""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
ROOMS = ("sdkportal", "mailbox", "addressbook", "transport")
MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((PROJECT / room).rglob("*.py"))
    if "migrations" not in path.parts
}


def imported(name: str, node: ast.AST) -> set[str]:
    """Modules of ours that a statement imports, the innermost of each."""
    if isinstance(node, ast.Import):
        targets = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        targets = {base} | {f"{base}.{alias.name}" for alias in node.names}
    else:
        return set()
    found = {target for target in targets if target in MODULES and target != name}
    return {target for target in found if not any(other.startswith(f"{target}.") for other in found)}


def imports() -> dict[str, set[str]]:
    return {
        name: {target for node in ast.walk(ast.parse(path.read_text())) for target in imported(name, node)}
        for name, path in MODULES.items()
    }


def test_no_module_imports_another_in_a_circle():
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_circle_would_be_found():
    with pytest.raises(CycleError):
        TopologicalSorter({**imports(), "transport.jobs": {"mailbox.urls"}}).prepare()


def test_no_import_hides_in_a_function():
    hidden = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if imported(name, node)
    ]
    assert hidden == []


def test_every_room_can_be_looked_over():
    count = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    assert {str(room.relative_to(PROJECT)): n for room, n in count.items() if n > 15} == {}
    assert count[PROJECT / "mailbox"] <= 12


def calls_and_assignments(path: Path) -> set[str]:
    """Names of functions that a module calls, and of attributes that it assigns (`.state =`, `state=`)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            found.add(name)
            if name in ("update", "change", "finish", "create", "bulk_create", "setattr"):
                found |= {f".{keyword.arg}" for keyword in node.keywords}
                found |= {f".{item.value}" for item in node.args if isinstance(item, ast.Constant)}
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for target in targets for part in ast.walk(target)]
            found |= {f".{part.attr}" for part in parts if isinstance(part, ast.Attribute)}
    return found


@pytest.mark.parametrize(
    ("room", "writers"),
    [
        ("transport/message_service", {"transitions.py"}),
        ("transport/access_point", {"outbound.py"}),
        ("transport/directory_drop", {"outbound.py"}),
    ],
)
def test_a_state_has_one_writer_in_its_room(room, writers):
    assigning = {
        path.name
        for path in (PROJECT / room).rglob("*.py")
        if "migrations" not in path.parts and ".state" in calls_and_assignments(path)
    }
    assert assigning == writers


def test_each_direction_has_one_module_that_makes_its_transitions():
    callers = {}
    for name, path in MODULES.items():
        for function in {"transition_to", "acknowledge", "transition_incoming"} & calls_and_assignments(path):
            callers.setdefault(function, set()).add(name)
    assert callers == {
        "transition_to": {"transport.message_service.outbound"},
        "acknowledge": {"transport.message_service.outbound"},
        "transition_incoming": {"transport.message_service.inbound"},
    }


def test_views_have_a_typed_request_and_rows_carry_no_values_of_a_page():
    text = "\n".join(path.read_text() for path in MODULES.values())
    assert "cast(Person" not in text
    assert "type: ignore[attr-defined]" not in text


def test_no_line_of_a_template_is_longer_than_a_screen_is_wide():
    long = [
        f"{template.relative_to(PROJECT)}:{number}"
        for template in sorted((PROJECT / "templates").rglob("*.html"))
        for number, line in enumerate(template.read_text().splitlines(), 1)
        if len(line) > 120
    ]
    assert long == []
