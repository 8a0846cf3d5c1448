"""Orders a message from the message service alone: run in a node's environment.

    python -m tests.faults.order PARTICIPANT FROM-ADDRESS TO-ADDRESS [RECIPIENT COUNT]

prints the message id; to another participant and several times, if that is said, an id a line.
"""

import sys

import django


def main(participant: str, sender: str, recipient: str, to: str = "", count: str = "1") -> int:
    django.setup()
    from tests.transport.protocol.build import a_message
    from transport.message_service import orders
    from transport.protocol.identifiers import ParticipantId

    own = ParticipantId(participant)
    for _ in range(int(count)):
        message = a_message(
            sender=own,
            recipient=ParticipantId(to or participant),
            sender_function=sender,
            recipient_function=recipient,
        )
        sys.stdout.write(f"{orders.order(message, actor='Karin')}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
