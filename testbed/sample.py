"""Sample organisations, functions and people. All of it is made up but the organisations' names."""

from dataclasses import dataclass
from typing import Any

from .federation import REJECTS_EVERYTHING, SIMULATED_ACCESS_POINT, SLOW, Federation
from .register import Function, Person

_LOA2 = "http://id.elegnamnden.se/loa/1.0/loa2"


@dataclass(frozen=True)
class Member(Person):
    """A person of a node, and what they may do there: function addresses, and administration."""

    mailboxes: tuple[str, ...] = ()
    is_administrator: bool = False
    is_manager: bool = False
    is_auditor: bool = False


@dataclass(frozen=True)
class NodeSample:
    """An organisation with a node of its own."""

    slug: str
    participant_id: str
    name: str
    access_point: str
    functions: tuple[Function, ...]
    people: tuple[Member, ...]

    def mailboxes(self) -> dict[str, Any]:
        """What `manage.py load_mailboxes` reads."""
        return {
            "organisation": self.participant_id,
            "mailboxes": [
                {"address": function.identifier, "name": function.name} for function in self.functions
            ],
            "people": [
                {
                    "subject": person.subject,
                    "name": person.name,
                    "mailboxes": list(person.mailboxes),
                    "administrator": person.is_administrator,
                    "manager": person.is_manager,
                    "auditor": person.is_auditor,
                }
                for person in self.people
            ],
        }


HABO = NodeSample(
    "habo",
    "0203:habo.se",
    "Håbo kommun",
    "AP0001-SDK-TEST",
    (
        Function(
            "sdk:socialtjanst-mottagning:0203:habo.se",
            "Socialtjänsten, mottagning",
            "Ansökningar, orosanmälningar och frågor till socialtjänsten",
            ("Socialtjänst",),
            ("orosanmälan", "försörjningsstöd", "ekonomiskt bistånd", "LSS"),
        ),
        Function(
            "sdk:bistandshandlaggning:0203:habo.se",
            "Biståndshandläggning äldre",
            "Hemtjänst, särskilt boende och korttidsplats",
            ("Äldreomsorg",),
            ("hemtjänst", "SIP", "utskrivning"),
        ),
        Function(
            "sdk:elevhalsa:0203:habo.se",
            "Elevhälsan",
            "Skolsköterska, skolkurator och skolpsykolog",
            ("Skola",),
            ("skola", "kurator", "elev"),
        ),
    ),
    (
        Member(
            "199001012385",
            "Karin Svensson",
            role_in_words="handläggare på Socialtjänsten, mottagning",
            mailboxes=("sdk:socialtjanst-mottagning:0203:habo.se",),
        ),
        Member(
            "198505152388",
            "Ahmed Lindqvist",
            role_in_words="handläggare på Socialtjänsten och Biståndshandläggning",
            mailboxes=("sdk:socialtjanst-mottagning:0203:habo.se", "sdk:bistandshandlaggning:0203:habo.se"),
            is_manager=True,
        ),
        Member(
            "197803032393",
            "Eva Holm",
            role_in_words="administratör för Håbo kommun",
            mailboxes=("sdk:elevhalsa:0203:habo.se",),
            is_administrator=True,
        ),
        Member(
            "197112122390",
            "Nils Granberg",
            role_in_words="granskare för Håbo kommun: läser åtkomstloggen, inga meddelanden",
            is_auditor=True,
        ),
        Member(
            "196607072396",
            "Olle Berg",
            acr=_LOA2,
            role_in_words="har en e-legitimation på för låg nivå",
            mailboxes=("sdk:elevhalsa:0203:habo.se",),
        ),
    ),
)

ARBETSFORMEDLINGEN = NodeSample(
    "arbetsformedlingen",
    "0203:arbetsformedlingen.se",
    "Arbetsförmedlingen",
    "AP0002-SDK-TEST",
    (
        Function(
            "sdk:arbetstraning:0203:arbetsformedlingen.se",
            "Avdelningen för arbetsträning",
            "Arbetsträning, praktik och lönestöd i samarbete med kommuner",
            ("Arbetsmarknad",),
            ("praktik", "lönebidrag", "rehabilitering"),
        ),
        Function(
            "sdk:etablering:0203:arbetsformedlingen.se",
            "Etableringsprogrammet",
            "Nyanlända som är inskrivna i etableringsprogrammet",
            ("Arbetsmarknad", "Integration"),
            ("nyanländ", "etablering"),
        ),
    ),
    (
        Member(
            "199212122397",
            "Nils Åberg",
            role_in_words="handläggare på Avdelningen för arbetsträning",
            mailboxes=("sdk:arbetstraning:0203:arbetsformedlingen.se",),
        ),
        Member(
            "198002022387",
            "Sara Öst",
            role_in_words="administratör för Arbetsförmedlingen",
            mailboxes=(
                "sdk:arbetstraning:0203:arbetsformedlingen.se",
                "sdk:etablering:0203:arbetsformedlingen.se",
            ),
            is_administrator=True,
        ),
    ),
)

NODES = (HABO, ARBETSFORMEDLINGEN)


@dataclass(frozen=True)
class BookEntry:
    """An organisation that is in the address book only."""

    participant_id: str
    name: str
    functions: tuple[str, ...]


BOOK = (
    BookEntry("0203:forsakringskassan.se", "Försäkringskassan", ("Sjukförsäkring", "Assistansersättning")),
    BookEntry(
        "0203:regionstockholm.se", "Region Stockholm", ("Habilitering vuxna", "Barnpsykiatri, mottagning")
    ),
    BookEntry(
        "0203:regionuppsala.se", "Region Uppsala", ("Akademiska sjukhuset, utskrivning", "Minnesmottagning")
    ),
    BookEntry(
        "0203:vgregion.se", "Västra Götalandsregionen", ("Rehabkoordinator primärvård", "Tolkförmedling")
    ),
    BookEntry("0203:stockholm.se", "Stockholms stad", ("Socialjouren", "Biståndsenheten Södermalm")),
    BookEntry("0203:goteborg.se", "Göteborgs stad", ("Socialkontor Centrum", "Vuxenutbildning")),
    BookEntry(
        "0203:malmo.se", "Malmö stad", ("Myndighetsenheten barn och unga", "Överförmyndarförvaltningen")
    ),
    BookEntry("0203:uppsala.se", "Uppsala kommun", ("Socialförvaltningen, mottagning", "Familjerätt")),
    BookEntry("0203:kriminalvarden.se", "Kriminalvården", ("Frivården Uppsala", "Häktet Kronoberg")),
    BookEntry("0203:skatteverket.se", "Skatteverket", ("Folkbokföring, skyddade personuppgifter",)),
    BookEntry("0203:migrationsverket.se", "Migrationsverket", ("Bosättning och ersättning",)),
    BookEntry("0203:orebro.se", "Örebro kommun", ("Socialtjänsten ekonomiskt bistånd", "Boendestöd")),
)


def book_functions(entry: BookEntry) -> tuple[Function, ...]:
    """The functions of an organisation in the book, with addresses."""
    domain = entry.participant_id.partition(":")[2]
    return tuple(
        Function(f"sdk:{number}:0203:{domain}", name, f"{name} vid {entry.name}")
        for number, name in enumerate(entry.functions, 1)
    )


# Organisations to aim at: what happens there is what goes wrong in real life.
ACCESS_POINT_DOWN = "0203:regionstockholm.se"
ACCESS_POINT_REVOKED = "0203:kriminalvarden.se"
UNKNOWN_TO_SMP = "0203:migrationsverket.se"


def populate(federation: Federation) -> None:
    """The organisations that are in the address book only, with the odd ones among them."""
    federation.add_access_point("AP0003-SDK-TEST", "https://localhost:9/as4")
    revoked = federation.add_access_point("AP0004-SDK-TEST", "https://localhost:9/as4")
    federation.revoke("access-points", revoked.certificate)
    for participant, name in ((REJECTS_EVERYTHING, "Avvisar allt (test)"), (SLOW, "Långsam (test)")):
        functions = (Function(f"sdk:test:{participant}", f"Testfunktion {name}", "Till för att prova på"),)
        federation.add_participant(participant, name, SIMULATED_ACCESS_POINT, functions)
    for entry in BOOK:
        access_point = (
            "AP0004-SDK-TEST" if entry.participant_id == ACCESS_POINT_REVOKED else "AP0003-SDK-TEST"
        )
        federation.add_participant(
            entry.participant_id,
            entry.name,
            access_point,
            book_functions(entry),
            published=entry.participant_id != UNKNOWN_TO_SMP,
        )
