"""The lines of templates are short, and shortening them changes nothing that a page shows."""

import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from django.template import Context, Engine
from lxml import html

PROJECT = Path(__file__).resolve().parent.parent
_SCRIPT = PROJECT / "scripts" / "wrap_templates.py"
LONG = "ord " * 40


@pytest.fixture(scope="module")
def wrapping():
    spec = util.spec_from_file_location("wrap_templates", _SCRIPT)
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rendered(text: str) -> str:
    engine = Engine(libraries={"i18n": "django.templatetags.i18n"}, builtins=["django.templatetags.i18n"])
    return engine.from_string(text).render(Context({"x": "värde", "n": 2}))


@pytest.mark.parametrize(
    "text",
    [
        f"<p>{LONG}</p>",
        f"<p><b>{LONG}</b><i>{LONG}</i></p>",
        f"<ul><li>{LONG}</li><li>{LONG}</li></ul>",
        f'<p><a class="{LONG}" href="/en/adress" title="{LONG}">länk</a><a href="/en/annan">länk</a></p>',
        f"<p>{{% blocktranslate with y=x %}}{{{{ y }}}} {LONG.strip()}{{% endblocktranslate %}}</p>",
        f"{{% blocktranslate count n=n %}}ett {LONG.strip()}{{% plural %}}"
        f"{{{{ n }}}} {LONG.strip()}{{% endblocktranslate %}}",
        f'<p>{{% translate "{LONG.strip()}" %}}</p>',
        "<p><span>a</span>{% if x %}{% translate 'ja' %}{% else %}{% translate 'nej' %}{% endif %}"
        f"<b>{LONG}</b></p>",
    ],
)
def test_what_is_broken_shows_the_same(wrapping, text):
    wrapped = wrapping.wrapped(text)
    lines = wrapped.splitlines()
    too_long = [line for line in lines if len(line) > wrapping.LONGEST and 'title="' not in line]
    assert len(lines) > 1
    assert too_long == []
    assert _shown(rendered(wrapped)) == _shown(rendered(text))
    assert wrapping.wrapped(wrapped) == wrapped


@pytest.mark.parametrize(
    "text",
    [
        f"<pre>{LONG}</pre>",
        f"<textarea>{LONG}</textarea>",
        f'<img alt="{LONG}">',
        f"<b>{{% blocktranslate %}}två  mellanslag {LONG}{{% endblocktranslate %}}</b>",
    ],
)
def test_what_would_show_otherwise_stays_long(wrapping, text):
    before, after = (html.fragment_fromstring(rendered(each)) for each in (text, wrapping.wrapped(text)))
    assert (after.text, after.attrib) == (before.text, before.attrib)


def _shown(page: str) -> list[str]:
    """What a browser makes of it, nearly: words, tags with their attributes, and where there is space."""
    root = html.fragment_fromstring(page, create_parent="main")
    found = []
    for element in root.iter():
        block = element.tag in {"main", "p", "ul", "li"}
        attributes = sorted((name, " ".join(value.split())) for name, value in element.attrib.items())
        found.append(f"{element.tag} {attributes}")
        for text in (element.text, element.tail):
            words = " ".join((text or "").split())
            spaced = "" if block or not text else f"{text[:1].isspace()}{text[-1:].isspace()}"
            found.append(f"{words}|{spaced if element.tail is text and words else ''}")
    return found


def test_templates_have_no_line_that_is_too_long():
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_every_field_has_a_form_that_the_styles_know():
    """An input without a type, or of another one, looks as the browser would have it."""
    known = set(re.findall(r'input\[type="([\w-]+)"\]', (PROJECT / "static/design/base.css").read_text()))
    tag = re.compile(r"<input\b(?:[^<>{]|\{%.*?%\}|\{\{.*?\}\})*>", re.DOTALL)
    odd, count = [], 0
    for path in (PROJECT / "templates").rglob("*.html"):
        for found in tag.findall(path.read_text()):
            count += 1
            kind = re.search(r'\btype="([\w-]+)"', found)
            if kind is None or kind[1] not in known | {"hidden"}:
                odd.append(f"{path.name}: {found[:60]}")
    assert odd == []
    assert count > 100
