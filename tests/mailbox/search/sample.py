"""A mailbox's messages, as people write them, and questions with what they should find first."""

from dataclasses import dataclass, field

SOCIAL = ("Uppsala kommun", "Socialtjänsten, mottagning")
CARE = ("Region Uppsala", "Akademiska sjukhuset, vårdplanering")
WORK = ("Arbetsförmedlingen", "Avdelningen för arbetsträning")
INSURANCE = ("Försäkringskassan", "Sjukförsäkring")
SCHOOL = ("Enköpings kommun", "Elevhälsan")
POLICE = ("Polismyndigheten", "Ungdomsgruppen")


@dataclass(frozen=True)
class Letter:
    """A message: what it is called here, and what it says."""

    name: str
    subject: str
    text: str
    sender: tuple[str, str]
    persons: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = field(default=())


# The oldest first.
LETTERS = (
    Letter(
        "school",
        "Orosanmälan",
        "Vi lämnar en orosanmälan om en elev i årskurs 7. Pojken, 20111103-2397, har uteblivit från skolan.",
        SCHOOL,
        ("Gunilla Åkerström",),
        (("dnr", "SN 2026/117"),),
        ("orosanmalan_elev.pdf",),
    ),
    Letter(
        "careplan",
        "Samordnad individuell plan",
        "Kallelse till vårdplaneringsmöte inför utskrivning. Patienten behöver hemtjänst och rehabilitering.",
        CARE,
        ("Ahmed Lindqvist", "19121212-1212"),
        (("dnr", "RU-2026-00341"),),
        ("Vårdplan 2026.docx", "läkarintyg.pdf"),
    ),
    Letter(
        "work",
        "Arbetsträning för Erik Johansson",
        "Erik kan börja arbetsträna den 3 mars. Handläggaren ringer på 070-123 45 67.",
        WORK,
        ("Margareta Svensson",),
        (("dnr", "Af-2026/0042 1234"),),
    ),
    Letter(
        "insurance",
        "Sjukpenning: begäran om komplettering",
        "Vi behöver ett nytt läkarutlåtande. Beslutet om sjukpenning fattas när intyget kommit in.",
        INSURANCE,
        ("Zlatan Öberg",),
        (("dnr", "FK 2026-55-8123"),),
        ("begaran_om_uppgifter.pdf",),
    ),
    Letter(
        "social",
        "Flyttning av ärende mellan socialkontoret i Uppsala och Håbo",
        "Socialkontoret överlämnar utredningen enligt 2 a kap. 10 § SoL. Familjen är placerad i familjehem.",
        SOCIAL,
        ("Karin Ekström",),
        (("dnr", "SOC-2025:998"),),
        ("Utredning barn och familj.pdf",),
    ),
    Letter(
        "notices",
        "Sammanställning av anmälningar under hösten",
        "Antalet anmälningar har ökat. Bifogat finns statistik över kontor och enheter.",
        SOCIAL,
        ("Karin Ekström",),
        (),
        ("statistik.xlsx",),
    ),
    Letter(
        "police",
        "Underrättelse om ungdom",
        "Flickan, född 2009, fanns vid centralstationen. Tingsrätten vill ha yttrande från socialnämnden.",
        POLICE,
        ("Björn Möller",),
        (("dnr", "5000-K123456-26"),),
    ),
    Letter(
        "money",
        "Ekonomiskt bistånd, överklagande",
        "Överklagandet kom in i rätt tid. Nämnden har omprövat avslaget på ansökan om försörjningsstöd.",
        SOCIAL,
        ("André Bergström",),
        (("dnr", "2026/2001"),),
        ("överklagande.pdf",),
    ),
    Letter(
        "home",
        "Trygghetslarm och hemtjänstinsatser",
        "Biståndshandläggaren föreslår fler insatser. Anhöriga: 010-555 12 12, e-post anna.holm@exempel.se.",
        CARE,
        ("Åsa Nilsson",),
    ),
    Letter(
        "guardian",
        "God man för ensamkommande barn",
        "Överförmyndaren har utsett god man. Samordningsnummer 701063-2391. Barnet bor på stödboende.",
        SOCIAL,
        ("Fatima Al-Hassan",),
        (("unregistred", "ÖF 88-26"),),
    ),
)

# What is asked, and which letter has to come first; the kind of difficulty beside it.
QUESTIONS: tuple[tuple[str, str, str], ...] = (
    ("socialkontor", "social", "another form"),
    ("socialkontoret", "social", "as written"),
    ("anmälan", "notices", "another form, the newest first"),
    ("anmälningar", "notices", "as written"),
    ("orosanmälan", "school", "as written"),
    ("orosanmälningar", "school", "another form"),
    ("anmäla", "notices", "the verb"),
    ("191212121212", "careplan", "a number"),
    ("19121212-1212", "careplan", "a number"),
    ("121212-1212", "careplan", "a number without its century"),
    ("1212121212", "careplan", "a number without its century"),
    ("201111032397", "school", "a number"),
    ("111103-2397", "school", "a number without its century"),
    ("7010632391", "guardian", "a number"),
    ("701063-2391", "guardian", "a number"),
    ("0701234567", "work", "a telephone number"),
    ("070-1234567", "work", "a telephone number"),
    ("070 123 45 67", "work", "a telephone number"),
    ("010-5551212", "home", "a telephone number"),
    ("SN 2026/117", "school", "a reference"),
    ("SN2026117", "school", "a reference without its signs"),
    ("2026/117", "school", "a part of a reference"),
    ("RU-2026-00341", "careplan", "a reference"),
    ("RU202600341", "careplan", "a reference without its signs"),
    ("SOC-2025:998", "social", "a reference"),
    ("soc 2025 998", "social", "a reference with spaces"),
    ("5000-K123456-26", "police", "a reference"),
    ("5000K12345626", "police", "a reference without its signs"),
    ("FK 2026-55-8123", "insurance", "a reference"),
    ("svensson", "work", "a name"),
    ("Svenson", "work", "a misspelt name"),
    ("Margaretha Svensson", "work", "a misspelt name"),
    ("Linkvist", "careplan", "a misspelt name"),
    ("ekstrom", "notices", "without dots"),
    ("Åkerstrom", "school", "without dots"),
    ("asa nilsson", "home", "without dots"),
    ("Andre Bergström", "money", "without its accent"),
    ("Björn Moller", "police", "without dots"),
    ("al hassan", "guardian", "a name with a hyphen"),
    ("Eriks arbetsträning", "work", "the genitive"),
    ("arbetsträna", "work", "as written"),
    ("handläggare", "home", "another form"),
    ("försäkringskassan", "insurance", "an organisation"),
    ("polisen", "police", "a beginning"),
    ("polis", "police", "a beginning"),
    ("akademiska", "home", "an organisation's function"),
    ("elevhälsa", "school", "another form"),
    ("vårdplanering", "home", "a function"),
    ("vårdplan", "careplan", "an attachment's name"),
    ("planering", "home", "the end of a compound"),
    ("träning", "work", "the end of a compound"),
    ("intyg", "insurance", "another form"),
    ("läkarintyget", "careplan", "another form"),
    ("utlåtande", "insurance", "the end of a compound"),
    ("utredningar", "social", "another form"),
    ("familjehemmet", "social", "another form"),
    ("placering familjehem", "social", "two words"),
    ("overklagande", "money", "without dots"),
    ("överklaga", "money", "the verb"),
    ("överklagan", "money", "another form"),
    ("ekonomisk bistånd", "money", "two words"),
    ("försörjningsstöd", "money", "as written"),
    ("forsorjningsstod", "money", "without dots"),
    ("försörjningstöd", "money", "misspelt"),
    ("ansökningar", "money", "another form"),
    ("hemtjänst", "careplan", "as written before a compound"),
    ("hemtjänstinsats", "home", "another form"),
    ("insats", "home", "another form"),
    ("trygghetslarmet", "home", "another form"),
    ("rehabilitering patient", "careplan", "two words"),
    ("rehabillitering", "careplan", "misspelt"),
    ("komplettera", "insurance", "the verb"),
    ("sjukpeng", "insurance", "a beginning"),
    ("beslut sjukpenning", "insurance", "two words"),
    ("tingsrätt", "police", "another form"),
    ("socialnämnd", "police", "another form"),
    ("nämnden", "money", "as written before a compound"),
    ("överförmyndare", "guardian", "another form"),
    ("god man", "guardian", "two words"),
    ("boende", "guardian", "the end of a compound"),
    ("ensamkommande", "guardian", "as written"),
    ("orosanmalan_elev.pdf", "school", "a file's name"),
    ("statistik", "notices", "a file's name"),
    ("anna.holm@exempel.se", "home", "an address"),
    ("skolan uteblivit", "school", "two words, another order"),
    ("skola", "school", "another form"),
    ("kallelser", "careplan", "another form"),
    ("UPPSALA HÅBO", "social", "capital letters"),
)
