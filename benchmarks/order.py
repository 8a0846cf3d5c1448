"""Orders messages from one function address to another: run by `benchmarks.nodes`, in a node's environment.

python -m benchmarks.order PARTICIPANT FROM-ADDRESS TO-ADDRESS COUNT
"""

import sys

import django


def main(participant: str, sender: str, recipient: str, count: str) -> int:
    django.setup()
    from tests.protocol.build import a_message
    from transport.message_service import sending
    from transport.protocol.identifiers import ParticipantId

    own = ParticipantId(participant)
    for _ in range(int(count)):
        message = a_message(sender=own, recipient=own, sender_function=sender, recipient_function=recipient)
        sending.order(message, actor="bench")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
