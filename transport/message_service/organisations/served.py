"""The organisations that this node serves, remembered for a moment: a message asks for one several times."""

from transport.short_memory import ShortMemory

from ..models import Organisation

_memory: ShortMemory[Organisation] = ShortMemory()


def served_organisation(participant_id: str) -> Organisation:
    """The organisation, as it was at most SDK_ANSWER_MEMORY_SECONDS ago. Raises `Organisation.DoesNotExist`,
    which is not remembered: a new organisation is served at once."""
    return _memory.get(participant_id, lambda: Organisation.objects.get(participant_id=participant_id))
