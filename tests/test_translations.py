"""Every text that people read is Swedish in the source and English in the translation, and none is left out.

When a test here fails: `make messages`, then write what is missing in locale/en/LC_MESSAGES/django.po, and
`make messages` again, which also makes the .mo.
"""

import ast
import gettext
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.urls import reverse

PROJECT = Path(__file__).resolve().parent.parent
CATALOGUE = PROJECT / "locale" / "en" / "LC_MESSAGES"
PACKAGES = ("addressbook", "mailbox", "sdkportal", "transport")
_CALLS = {"_", "lazy", "gettext", "ngettext", "gettext_lazy", "gettext_noop", "pgettext"}
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]")
# What is the same in every language, or a name.
_NAMES = {"sdkportal", "English", "Svenska", "SDK", "CSV", "JSON", "ZIP", "PDF", "SHA", "Enter"}
# Letters, and what stands in texts that are kept: it is read as it was written.
_CODES = {"åäö", "ärende", "ämne", "A-Za-z_À-ÖØ-öø-ıĴ-ľ", "år", "åå", "bokstäver", "läsare", "observatör"}
_SWEDISH = re.compile(r"[åäöÅÄÖ]")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory) -> dict[str, tuple[str, ...]]:
    """Every source text with its plural, as `make messages` finds them."""
    if shutil.which("xgettext") is None:
        pytest.skip("Debian's gettext is missing: scripts/install gettext")
    tree = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "templates"):
        shutil.copytree(PROJECT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "locale" / "en" / "LC_MESSAGES").mkdir(parents=True)
    script = (
        "import django; django.setup(); from django.core.management import call_command; "
        "call_command('makemessages', locale=['en'], extensions=['html', 'py', 'js'], verbosity=0)"
    )
    environment = {"SDK_DEMO": "1", "DJANGO_SETTINGS_MODULE": "sdkportal.settings", "PATH": "/usr/bin:/bin"}
    code = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); {script}"
    subprocess.run([sys.executable, "-c", code], cwd=tree, env=environment, check=True)
    return dict(entries((tree / "locale" / "en" / "LC_MESSAGES" / "django.po").read_text()))


def entries(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of a .po: source text, then (plural, translations...). Entries in doubt (fuzzy) have no translation."""
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        name = ""
        for line in lines:
            key, _, rest = line.partition(" ")
            if not line.startswith('"'):
                name, value = key, rest
            else:
                value = line
            fields[name] = fields.get(name, "") + ast.literal_eval(value)
        source = fields.pop("msgid", "")
        if source:
            is_doubtful = "#, fuzzy" in block
            plural = fields.pop("msgid_plural", "")
            yield source, (plural, *("" if is_doubtful else value for value in fields.values()))


def test_every_text_has_its_english(extracted):
    known = dict(entries((CATALOGUE / "django.po").read_text()))
    missing = [
        source
        for source, (plural, *_) in extracted.items()
        if source not in known or not all(known[source][1:]) or known[source][0] != plural
    ]
    assert missing == [], "without English:\n" + "\n".join(missing)
    gone = [source for source in known if source not in extracted]
    assert gone == [], "said nowhere any more:\n" + "\n".join(gone)


def test_translations_put_in_the_same_values():
    wrong = []
    for source, (plural, *translated) in entries((CATALOGUE / "django.po").read_text()):
        for original, text in zip((source, plural or source), translated, strict=False):
            if sorted(_PLACEHOLDER.findall(original)) != sorted(_PLACEHOLDER.findall(text)):
                wrong.append(source)
    assert wrong == []


def test_what_is_installed_says_what_the_catalogue_says():
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    differing = [
        source
        for source, (plural, *translated) in entries((CATALOGUE / "django.po").read_text())
        if (compiled.ngettext(source, plural, 1) if plural else compiled.gettext(source)) != translated[0]
        or (plural and compiled.ngettext(source, plural, 2) != translated[1])
    ]
    assert differing == []


class _Shown(HTMLParser):
    """Texts of a page that people read or hear."""

    _READ = {"alt", "title", "placeholder", "aria-label", "content", "label"}

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in {"script", "style"}
        read = [
            value
            for name, value in attrs
            if value and (name in self._READ or (name.startswith("data-") and " " in value))
        ]
        self.found += read if tag != "meta" else []

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.found.append(data)


def said_outright(template: str) -> list[str]:
    """Words that stand in a template and not in a `translate` tag."""
    template = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", "", template, flags=re.DOTALL)
    # Names of classes, one within the other: no text of the page.
    template = re.sub(r"{% block shown %}.*?{% endblock %}", "", template, flags=re.DOTALL)
    template = re.sub(r"{% block body_class %}.*?{% endblock %}", "", template, flags=re.DOTALL)
    template = re.sub(r"{#.*?#}|{% comment.*?{% endcomment %}", "", template, flags=re.DOTALL)
    template = re.sub(r"{%.*?%}|{{.*?}}", "", template, flags=re.DOTALL)
    template = re.sub(r"\?\w+=", "", template)
    reader = _Shown()
    reader.feed(template)
    words = [word for text in reader.found for word in re.findall(r"[^\W\d_]{2,}", text)]
    return [word for word in words if word not in _NAMES]


def test_what_is_looked_for_in_templates_is_found():
    assert said_outright("<p>Hej</p>") == ["Hej"]
    assert said_outright('<img alt="Bild">{% if x %}och{% endif %}') == ["Bild", "och"]
    assert said_outright('<p>{% translate "Hej" %} {{ name }} 7 (CSV)</p>') == []
    assert said_outright("{% blocktranslate %}Hej <b>du</b>{% endblocktranslate %}") == []


def test_no_template_says_anything_outright():
    found = {
        str(path.relative_to(PROJECT)): words
        for path in sorted((PROJECT / "templates").rglob("*.html"))
        if (words := said_outright(path.read_text()))
    }
    assert found == {}


def untranslated(tree: ast.AST) -> list[str]:
    """Swedish in the literals of a module that no translating call takes; docstrings are for who reads
    code."""
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    found = []
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and _SWEDISH.search(node.value)
        ):
            continue
        if isinstance(parents[node], ast.Expr):
            continue
        call = parents[node]
        while call in parents and not isinstance(call, ast.Call | ast.stmt):
            call = parents[call]
        name = getattr(call, "func", None)
        if not (isinstance(name, ast.Name) and name.id in _CALLS):
            found.append(node.value)
    return [text for text in found if text not in _CODES]


def test_what_is_looked_for_in_modules_is_found():
    assert untranslated(ast.parse('a = "Lägg"')) == ["Lägg"]
    assert untranslated(ast.parse('"""Ä"""\na = _("Lägg") + lazy("å")')) == []


def test_no_module_says_anything_outright():
    found = {
        str(path.relative_to(PROJECT)): words
        for package in PACKAGES
        for path in sorted((PROJECT / package).rglob("*.py"))
        # Commands are for operators, in English.
        if not {"migrations", "management"} & set(path.parts)
        and (words := untranslated(ast.parse(path.read_text())))
    }
    assert found == {}


def test_no_script_says_anything_outright():
    scripts = sorted((PROJECT / "static").rglob("*.js")) + sorted((PROJECT / "templates").rglob("*.js"))
    assert scripts
    # A script's texts come from the page's data attributes, where they are translated.
    found = {
        str(path.relative_to(PROJECT)): said
        for path in scripts
        if (said := re.findall(r'"[^"\n{]*[åäöÅÄÖ][^"\n]*"', path.read_text()))
    }
    assert found == {}


@pytest.mark.django_db
def test_the_switch_chooses_the_language_and_the_browser_s_setting_does_not(client):
    swedish = client.get(reverse("login"), headers={"accept-language": "en"}).content.decode()
    assert '<html lang="sv">' in swedish
    assert "Logga in med e-legitimation" in swedish
    assert "English" in swedish
    chosen = client.post(
        reverse("set_language"), {"language": "en"}, headers={"referer": "http://testserver/logga-in"}
    )
    assert chosen["Location"].endswith("/logga-in")
    assert chosen.cookies["sdk_language"]["httponly"]
    english = client.get(reverse("login")).content.decode()
    assert '<html lang="en">' in english
    assert "Log in with e-ID" in english
    client.post(reverse("set_language"), {"language": "sv"})
    assert "Logga in med e-legitimation" in client.get(reverse("login")).content.decode()


def test_the_switch_leads_nowhere_else(client):
    answer = client.post(reverse("set_language"), {"language": "en", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"
