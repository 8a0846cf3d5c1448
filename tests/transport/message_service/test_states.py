"""One table says which state may follow which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.message_service import transitions
from transport.message_service.models import OutgoingMessage
from transport.message_service.states import INCOMING, OUTGOING, IncomingState, OutgoingState


def test_every_state_is_in_the_table():
    assert set(OUTGOING) == set(OutgoingState)
    assert set(INCOMING) == set(IncomingState)


def test_what_a_receipt_has_settled_stays_settled():
    assert OUTGOING[OutgoingState.ACCEPTED] == OUTGOING[OutgoingState.REJECTED] == frozenset()


@given(st.lists(st.sampled_from(list(OutgoingState)), max_size=12))
def test_no_sequence_of_events_leaves_the_table(wanted):
    message = OutgoingMessage(state=OutgoingState.SCHEDULED)
    for state in wanted:
        before = OutgoingState(message.state)
        if state in OUTGOING[before]:
            message.state = state
        else:
            with pytest.raises(transitions.TransitionNotAllowed):
                transitions.transition_to(message, state)
            assert message.state == before


def test_from_every_state_that_is_not_final_a_message_can_be_settled():
    for state in OutgoingState:
        seen, open_states = {state}, [state]
        while open_states:
            for following in OUTGOING[open_states.pop()]:
                if following not in seen:
                    seen.add(following)
                    open_states.append(following)
        assert seen & {OutgoingState.ACCEPTED, OutgoingState.REJECTED}
