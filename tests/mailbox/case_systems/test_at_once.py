"""What several people and workers do at the same moment."""

import threading

import pytest
from django.db import connection

from mailbox.archive import page
from mailbox.case_systems import deliveries
from mailbox.case_systems.receipts import Receipt
from mailbox.conversations import case_deliveries
from mailbox.models import CaseDelivery, ConversationEvent
from tests.mailbox.build import a_member

from .build import a_registered, handed_over, later

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts) -> list[Exception]:
    """Do all of it in threads that begin together; the errors."""
    errors: list[Exception] = []
    barrier = threading.Barrier(len(acts))

    def act(do) -> None:
        barrier.wait(30)
        try:
            do()
        except deliveries.CannotWithdraw as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(do,)) for do in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_two_orders_are_one_delivery(mailbox, karin, system):
    people = [karin, a_member("Ahmed", mailbox)]
    conversation = a_registered(mailbox, karin)
    orders = [
        lambda person=person: case_deliveries.order(conversation.pk, person, system.pk) for person in people
    ]
    assert at_once(*orders) == []
    assert CaseDelivery.objects.count() == 1


def test_workers_hand_a_delivery_over_once(mailbox, karin, system, monkeypatch):
    pages = []
    monkeypatch.setattr(page, "as_pdf", lambda html: pages.append(html) or b"%PDF-1.7")
    conversation = a_registered(mailbox, karin)
    delivery = case_deliveries.order(conversation.pk, karin, system.pk)
    later(delivery)
    assert at_once(*[lambda: deliveries.work_on(delivery.pk)] * 3) == []
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert len(pages) == 1
    assert ConversationEvent.objects.filter(what="case-handed").count() == 1


def test_a_receipt_and_a_withdrawal_leave_one_of_both(mailbox, karin, system):
    delivery = handed_over(mailbox, karin, system)
    receipt = Receipt(delivery.pk, is_accepted=True, case_number="ARK 1")
    errors = at_once(
        lambda: deliveries.settle(system, receipt), lambda: deliveries.withdraw(delivery.pk, karin)
    )
    delivery.refresh_from_db()
    if delivery.state == "acknowledged":
        assert [type(error) for error in errors] == [deliveries.CannotWithdraw]
    else:
        assert (delivery.state, delivery.case_number, errors) == ("withdrawn", "", [])


def test_the_same_receipt_from_two_workers_counts_once(mailbox, karin, system):
    delivery = handed_over(mailbox, karin, system)
    receipt = Receipt(delivery.pk, is_accepted=True, case_number="ARK 1")
    assert at_once(*[lambda: deliveries.settle(system, receipt)] * 2) == []
    assert ConversationEvent.objects.filter(what="case-ack").count() == 1
