"""Orders messages from one function address to another; `benchmarks.whole_node` runs it in a node's
environment.

    python -m benchmarks.order PARTICIPANT FROM-ADDRESS TO-ADDRESS

prints `ready`. Each line on stdin is a number: it orders so many messages, then prints `ordered`.
"""

# ruff: noqa: T201

import sys

import django


def main(participant: str, sender: str, recipient: str) -> int:
    """Order messages until stdin ends; returns the exit code."""
    django.setup()
    from tests.transport.protocol.build import a_message
    from transport.message_service import orders
    from transport.protocol.identifiers import ParticipantId

    own = ParticipantId(participant)
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            message = a_message(
                text="Hej. " * 200,
                sender=own,
                recipient=own,
                sender_function=sender,
                recipient_function=recipient,
            )
            orders.order(message, actor="bench")
        print("ordered", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
