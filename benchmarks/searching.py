"""How long a search takes in a node with a million messages: the whole request, without the network.

    python -m benchmarks.searching [--messages 1000000] [--directory DIR]

200 mailboxes of one organisation, 60 words a message out of 60,000 made-up compounds, the common ones common
(a word's rank to the fourth power). All but the newest messages are in the index with an empty content: what
is decrypted, marked and shown is what the newest hold. `--directory` keeps the database, to be used again.
"""

# ruff: noqa: S311, T201

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from testbed.services import Postgres

HERE = "0203:habo.se"
MAILBOXES = 200
WORDS_OF_A_MESSAGE = 60
REAL = 400
REPEATS = 15
_SYLLABLES = (
    "so ci al kon tor an mäl ut red ning barn vård plan lä kar in tyg be slut fa milj hem stöd för sam tal "
    "mö te skol elev häl sa om sorg per son num mer dag ar bet trä"
)
COMMON = "socialkontoret anmälan orosanmälan utredning beslut svensson kallelse vårdplanering"
QUESTIONS = {
    "a common word": "anmälan",
    "another form of it": "socialkontor",
    "two words": "kallelse utredning",
    "the end of compounds": "planering",
    "a beginning": "soc",
    "misspelt": "svenson",
    "misspelt, without dots": "orosanmalan",
    "a number that nobody wrote": "191212121212",
    "a word that nobody wrote": "xyzxyz",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sdkportal-bench-") as temporary:
        postgres = Postgres(options.directory or Path(temporary))
        postgres.start()
        try:
            postgres.ensure_database("searching")
            os.environ |= {
                "SDK_DEMO": "1",
                "SDK_DATABASE_URL": postgres.url("searching"),
                "SDK_LOG_LEVEL": "ERROR",
                "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            }
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            _fill(options.messages)
            _measure()
        finally:
            postgres.stop()
    return 0


def _fill(messages: int) -> None:
    """Make the node, unless it is there."""
    from django.db import connection

    from mailbox.models import FunctionMailbox, Message
    from mailbox.search import vocabulary
    from mailbox.search.hashes import ROOT, WORD, token
    from mailbox.search.roots import roots_of
    from transport.at_rest.keys import search_key
    from transport.message_service.models import Organisation

    if Message.objects.exists():
        return
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    FunctionMailbox.objects.bulk_create(
        FunctionMailbox(participant_id=HERE, address=f"a{number}", name=f"Brevlåda {number}")
        for number in range(MAILBOXES)
    )
    key, words = search_key(HERE), _words()
    roots = roots_of(words)
    vocabulary.learn(HERE, key, roots)
    first = FunctionMailbox.objects.order_by("pk").values_list("pk", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE word (rank int PRIMARY KEY, said bigint, root bigint)")
        with cursor.copy("COPY word FROM STDIN") as copy:
            for rank, word in enumerate(words):
                copy.write_row((rank, token(key, WORD, word), token(key, ROOT, roots.get(word, word))))
        # The index is made once all is there, which is faster and gives the same index.
        cursor.execute("DROP INDEX search_words")
        given = {"messages": messages, "first": first, "words": len(words), "each": WORDS_OF_A_MESSAGE}
        for statement in _STATEMENTS:
            cursor.execute(statement, given)
    _add_real(words)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE INDEX search_words ON mailbox_searchentry USING gin (words) WITH (fastupdate = off)"
        )
        cursor.execute("VACUUM ANALYZE")


_STATEMENTS = (
    """INSERT INTO mailbox_conversation (mailbox_id, conversation_id, subject, counterpart, is_confidential,
         has_attachments, message_count, last_activity_at)
       SELECT %(first)s + g %% 200, gen_random_uuid(), '', 'X', false, false, 1, now() - g * interval '20 s'
       FROM generate_series(1, %(messages)s) AS g""",
    """INSERT INTO mailbox_message (conversation_id, direction, message_id, subject, is_confidential,
         counterpart_participant, counterpart_organisation, counterpart_address, counterpart_function,
         sender_references, recipient_references, sender_persons, recipient_persons, at, delivery_state,
         is_receipt_missing)
       SELECT id, 'in', gen_random_uuid(), '', false, 'p', 'Org', 'a', 'Funktion', '[]', '[]', '[]', '[]',
         last_activity_at, '', false FROM mailbox_conversation""",
    """INSERT INTO mailbox_searchentry (message_id, mailbox_id, at, is_outgoing, is_confidential,
         has_attachments, words, is_learned)
       SELECT m.id, c.mailbox_id, m.at, false, false, false, (
         SELECT array_agg(DISTINCT hash) FROM (
           SELECT unnest(ARRAY[w.said, w.root]) AS hash FROM (
             SELECT floor(%(words)s * power(random(), 4))::int AS rank
             FROM generate_series(1, %(each)s + 0 * m.id)
           ) AS drawn JOIN word AS w USING (rank)
         ) AS hashes
       ), true
       FROM mailbox_message AS m JOIN mailbox_conversation AS c ON c.id = m.conversation_id""",
)


def _add_real(words: list[str]) -> None:
    """The newest messages, whole: what the pages of hits show."""
    import uuid

    from django.utils import timezone

    from mailbox.models import Conversation, Document, FunctionMailbox, Message
    from mailbox.search import index

    draw = random.Random(2)
    boxes = list(FunctionMailbox.objects.order_by("pk"))
    for number in range(REAL):
        said = [words[int(len(words) * draw.random() ** 4)] for _ in range(WORDS_OF_A_MESSAGE)]
        conversation = Conversation.objects.create(
            mailbox=boxes[number % MAILBOXES],
            conversation_id=uuid.uuid4(),
            subject=" ".join(said[:4]),
            counterpart="X",
            last_activity_at=timezone.now(),
        )
        message = Message.objects.create(
            conversation=conversation,
            direction="in",
            message_id=uuid.uuid4(),
            subject=conversation.subject,
            is_confidential=True,
            counterpart_organisation="Org",
            counterpart_function="Funktion",
            sender_persons=[{"root": "", "value": "", "label": "Karin Svensson"}],
            at=timezone.now(),
        )
        Document.objects.create(message=message, position=1, name="SDK", texts=[" ".join(said)])
        index.add(message)


def _measure() -> None:
    from django.db import connection
    from django.test import Client

    from mailbox.models import FunctionMailbox, Membership, Message, Person, VocabularyWord

    boxes = list(FunctionMailbox.objects.order_by("pk"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_total_relation_size('mailbox_searchentry'))")
        size = cursor.fetchone()
    print(f"{Message.objects.count():,} messages, {VocabularyWord.objects.count():,} words, index {size[0]}")
    print(f"{'':34}{'5 mailboxes':>20}{f'{len(boxes)} mailboxes':>20}   (ms: median, 95 of 100)")
    clients = []
    for name, seen in (("few", boxes[:5]), ("all", boxes)):
        person, _ = Person.add(name, name)
        for box in seen:
            Membership.objects.get_or_create(person=person, mailbox=box)
        client = Client(headers={"host": "localhost", "HX-Request": "true"})
        client.force_login(person, backend="mailbox.login.EidBackend")
        clients.append(client)
    for name, question in QUESTIONS.items():
        columns = []
        for client in clients:
            client.post("/sok", {"fraga": question})
            taken = sorted(_milliseconds(client, question) for _ in range(REPEATS))
            columns.append(f"{statistics.median(taken):.0f}, {taken[int(0.95 * REPEATS)]:.0f}")
        print(f"{name:34}{columns[0]:>20}{columns[1]:>20}")


def _milliseconds(client: object, question: str) -> float:
    begun = time.perf_counter()
    answer = client.post("/sok", {"fraga": question})  # type: ignore[attr-defined]
    taken = (time.perf_counter() - begun) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{question}: {answer.status_code}")
    return taken


def _words() -> list[str]:
    """Made-up compounds, those that are asked for among the most common."""
    draw, syllables = random.Random(1), _SYLLABLES.split()
    made = {"".join(draw.choices(syllables, k=draw.randint(2, 5))) for _ in range(90_000)}
    chosen = sorted(made)[:60_000]
    draw.shuffle(chosen)
    return COMMON.split() + chosen


if __name__ == "__main__":
    sys.exit(main())
