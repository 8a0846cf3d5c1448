"""Orders messages from one function address to another: run by `benchmarks.whole_node` for its node.

    python -m benchmarks.order PARTICIPANT FROM-ADDRESS TO-ADDRESS

says `ready`, and orders as many messages as each line on stdin says; then says `ordered` and their ids.
"""

# ruff: noqa: T201

import sys

import django


def main(participant: str, sender: str, recipient: str) -> int:
    django.setup()
    from django.db import transaction

    from tests.transport.protocol.build import a_message
    from transport.message_service import orders
    from transport.protocol.identifiers import ParticipantId

    own = ParticipantId(participant)
    print("ready", flush=True)
    for line in sys.stdin:
        ordered = []
        for _ in range(int(line)):
            message = a_message(
                text="Hej. " * 200,
                sender=own,
                recipient=own,
                sender_function=sender,
                recipient_function=recipient,
            )
            with transaction.atomic():
                ordered.append(str(orders.order(message, actor="bench")))
        print("ordered", *ordered, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
