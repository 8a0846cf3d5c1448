"""Finding a function by what people type: the expected hit comes first."""

import pytest

from addressbook.models import FunctionAddress, Organisation
from addressbook.search import refresh_search_columns, search

pytestmark = pytest.mark.django_db

BOOK = {
    "Håbo kommun": [
        (
            "Socialtjänsten, mottagning",
            "Ansökningar och orosanmälningar",
            ["orosanmälan", "försörjningsstöd"],
        ),
        ("Biståndshandläggning äldre", "Hemtjänst och särskilt boende", ["hemtjänst", "SIP"]),
        ("Elevhälsan", "Skolsköterska och kurator", ["skola"]),
    ],
    "Arbetsförmedlingen": [
        ("Avdelningen för arbetsträning", "Praktik och lönestöd", ["rehabilitering"]),
        ("Etableringsprogrammet", "Nyanlända", ["etablering"]),
    ],
    "Region Uppsala": [
        ("Akademiska sjukhuset, utskrivning", "Samordnad planering vid utskrivning", ["SIP"]),
        ("Minnesmottagning", "Utredning av minnessvårigheter", []),
    ],
    "Göteborgs stad": [("Socialkontor Centrum", "Ekonomiskt bistånd", []), ("Vuxenutbildning", "Komvux", [])],
    "Kriminalvården": [("Frivården Uppsala", "Frivård", []), ("Häktet Kronoberg", "", [])],
    "Skatteverket": [("Folkbokföring", "Skyddade personuppgifter", ["sekretessmarkering"])],
    "Örebro kommun": [("Boendestöd", "Stöd i hemmet", [])],
}

QUESTIONS = [
    ("arbetsträning", "Avdelningen för arbetsträning"),
    ("Avdelningen för arbetsträning", "Avdelningen för arbetsträning"),
    ("arbetstraning", "Avdelningen för arbetsträning"),
    ("arbetstr", "Avdelningen för arbetsträning"),
    ("arbetsformedling praktik", "Avdelningen för arbetsträning"),
    ("arbetsförmedlingen arbetsträning", "Avdelningen för arbetsträning"),
    ("arbetsträning arbetsförmedlingen", "Avdelningen för arbetsträning"),
    ("arbetsförmedlign etablering", "Etableringsprogrammet"),
    ("etableringsprogram", "Etableringsprogrammet"),
    ("nyanländ", "Etableringsprogrammet"),
    ("sosialtjänst", "Socialtjänsten, mottagning"),
    ("sosial mottagning", "Socialtjänsten, mottagning"),
    ("socialtjänst håbo", "Socialtjänsten, mottagning"),
    ("habo socialtjansten", "Socialtjänsten, mottagning"),
    ("orosanmälningar", "Socialtjänsten, mottagning"),
    ("orosanmälan", "Socialtjänsten, mottagning"),
    ("hemtjänsten", "Biståndshandläggning äldre"),
    ("bistånd äldre", "Biståndshandläggning äldre"),
    ("elevhalsa", "Elevhälsan"),
    ("skolsköterskor", "Elevhälsan"),
    ("utskrivning uppsala", "Akademiska sjukhuset, utskrivning"),
    ("akademiska", "Akademiska sjukhuset, utskrivning"),
    ("akademsika sjukhuset", "Akademiska sjukhuset, utskrivning"),
    ("minnesmottagningen", "Minnesmottagning"),
    ("socialkontoret", "Socialkontor Centrum"),
    ("göteborg komvux", "Vuxenutbildning"),
    ("frivård", "Frivården Uppsala"),
    ("haktet", "Häktet Kronoberg"),
    ("folkbokforing", "Folkbokföring"),
    ("skyddade personuppgifter", "Folkbokföring"),
    ("orebro", "Boendestöd"),
]


@pytest.fixture
def book():
    for number, (name, functions) in enumerate(BOOK.items()):
        organisation = Organisation.objects.create(
            book_id=str(number), participant_id=f"0203:o{number}.se", name=name
        )
        for position, (function, description, words) in enumerate(functions):
            FunctionAddress.objects.create(
                book_id=f"{number}-{position}",
                organisation=organisation,
                identifier=f"sdk:{number}:{position}",
                name=function,
                description=description,
                search_words=words,
            )
    refresh_search_columns(FunctionAddress.objects.all())


def test_the_expected_function_comes_first(book):
    missed = []
    for question, expected in QUESTIONS:
        hits = search(question)
        if not hits or hits[0].function.name != expected:
            missed.append((question, expected, [hit.function.name for hit in hits[:3]]))
    assert missed == []


def test_what_is_gone_is_not_found(book):
    FunctionAddress.objects.filter(name="Elevhälsan").update(gone_at="2026-01-01T00:00:00Z")
    assert "Elevhälsan" not in [hit.function.name for hit in search("elevhälsan")]


@pytest.mark.parametrize(
    "text", ["", " ", "a", "!!", "'; DROP TABLE x; --", "a & | ! ( ) : * <->", "%_\\", "x" * 5000]
)
def test_whatever_is_typed_is_no_error(book, text):
    assert isinstance(search(text), list)


def test_a_hit_is_shown_as_text(book, client, django_user_model):
    person, _ = django_user_model.add("191212121212", "Karin")
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    FunctionAddress.objects.filter(name="Elevhälsan").update(name="<b>Elevhälsan</b>")
    refresh_search_columns(FunctionAddress.objects.all())
    page = client.get("/adressbok/sok", {"q": "elevhälsan"}).content.decode()
    assert "&lt;b&gt;Elevhälsan&lt;/b&gt;" in page
    assert "Inget träffade" in client.get("/adressbok/sok", {"q": "zzzzqqqq"}).content.decode()
    assert "minst två tecken" in client.get("/adressbok/sok", {"q": "x"}).content.decode()


def test_browsing_pages_by_key(book, client, django_user_model, django_assert_max_num_queries):
    person, _ = django_user_model.add("191212121212", "Karin")
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    Organisation.objects.bulk_create(
        Organisation(book_id=f"x{n}", participant_id=f"0203:x{n}.se", name=f"Kommun {n:03d}")
        for n in range(120)
    )
    names, url = [], "/adressbok/"
    while url:
        # Three of them are for the head: whose node it is, and which links the person has.
        with django_assert_max_num_queries(13):
            page = client.get(url)
        names += [organisation.name for organisation in page.context["organisations"]]
        url = f"/adressbok/?after={page.context['after']}" if page.context["after"] else ""
    assert len(names) == len(set(names)) == 127
    assert names == sorted(names, key=str.lower)
