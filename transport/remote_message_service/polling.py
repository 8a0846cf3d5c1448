"""Asking another message service for news: messages that it has for us, and what has become of ours.

B1.4.2 has no notifications ("Notifiering ingår ej"), so it is polled. What it lists as NEW is what we have
not deleted there, that is, what we have not delivered: nothing else needs to be remembered for it to be
complete. Where the pages of one poll are many, the next page's address is kept, so that a worker that dies,
or ends its turn, does not begin anew.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from transport.jobs import LeaseLost, log_unexpected, pause_after

from . import arrivals, orders, resources
from .client import RemoteClient
from .models import RemoteOrder, RemoteService
from .problems import AnswerInvalid, CursorInvalid, NotThere, RemoteProblem

logger = logging.getLogger(__name__)
POLL: Final = "transport.remote_message_service.tasks.poll_due"
_PAGES_AT_A_TIME: Final = 50
_LONGEST_PAUSE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class _Question:
    """A list that is asked for; `name` tells it from the others."""

    name: str
    filters: dict[str, str]
    is_inbound: bool


def work_on(claimed: Sequence[RemoteService]) -> None:
    """Poll services that were claimed."""
    for service in claimed:
        with suppress(LeaseLost), service.renewing():
            _poll(service)


def _poll(service: RemoteService) -> None:
    if not service.is_active:
        service.finish(due_at=None)
        return
    try:
        with RemoteClient(service) as client:
            has_unreadable = _ask_all(service, client)
    except AnswerInvalid as error:
        service.change(cursor={})
        _failed(service, error.code)
    except RemoteProblem as error:
        _failed(service, error.code, error.retry_after)
    except NotThere:
        _failed(service, "address-wrong")
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
        log_unexpected(error, service=service.pk)
        _failed(service, "unexpected")
    else:
        _succeeded(service, "answer-invalid" if has_unreadable else "")


def _ask_all(service: RemoteService, client: RemoteClient) -> bool:
    """Ask every question, from where the last poll ended; whether something on the way could not be read."""
    questions = _questions(service)
    names = [question.name for question in questions]
    begun = service.cursor.get("question")
    if begun in names:
        questions = questions[names.index(begun) :]
    seen: set[str] = set()
    has_unreadable = False
    for question in questions:
        first = client.first_page(question.filters)
        link: str | None = service.cursor.get("link") if question.name == begun else first
        while link is not None:
            try:
                page = client.page(link)
            except CursorInvalid:
                if link == first:
                    raise AnswerInvalid("list-refused") from None
                # Its pages have changed, or it has forgotten them: what was recorded is not recorded twice.
                logger.warning("remote_cursor_invalid", extra={"fields": {"service": str(service.pk)}})
                link = first
                continue
            has_unreadable |= _take_note(service, question, page)
            seen.add(link)
            link = client.next_page(page, link)
            if link in seen:
                raise AnswerInvalid("pages-repeat")
            service.change(cursor={"question": question.name, "link": link} if link else {})
            if len(seen) >= _PAGES_AT_A_TIME and link is not None:
                return has_unreadable
    service.change(cursor={})
    return has_unreadable


def _take_note(service: RemoteService, question: _Question, page: dict[str, Any]) -> bool:
    """Record what a page says; whether something on it could not be read."""
    listed, has_unreadable = resources.listed_in(page)
    if question.is_inbound:
        with transaction.atomic():
            arrivals.record(service, [item for item in listed if item.status == "NEW"])
    else:
        orders.follow(service, listed)
    return has_unreadable


def _questions(service: RemoteService) -> list[_Question]:
    """What is new for each function, and what has become of messages of ours that are followed."""
    if service.has_all_functions:
        functions = [""]
    else:
        functions = list(service.functions.values_list("function_address", flat=True))
    questions = []
    for function in functions:
        filters = {"messageStatus": "NEW"}
        if function:
            filters["recipientAttention.subOrganization.extension"] = function
        questions.append(_Question(f"in {function}", filters, is_inbound=True))
    followed = RemoteOrder.objects.filter(service=service, state=RemoteOrder.State.FOLLOWED)
    senders = set(followed.values_list("outgoing__sender_function", flat=True))
    for function in sorted(senders):
        filters = {"senderAttention.subOrganization.extension": function}
        questions.append(_Question(f"out {function}", filters, is_inbound=False))
    return questions


def _succeeded(service: RemoteService, problem: str) -> None:
    now = timezone.now()
    service.finish(
        due_at=now + timedelta(seconds=settings.SDK_REMOTE_POLL_SECONDS),
        answered_at=now,
        failures=0,
        attempts=0,
        paused_until=None,
        problem=problem,
        problem_since=(service.problem_since or now) if problem else None,
    )


def _failed(service: RemoteService, code: str, retry_after: timedelta | None = None) -> None:
    now = timezone.now()
    failures = service.failures + 1
    pause = retry_after or pause_after(
        failures, first=settings.SDK_REMOTE_POLL_SECONDS, longest=_LONGEST_PAUSE_SECONDS
    )
    if service.problem != code:
        fields = {"service": str(service.pk), "problem": code}
        logger.warning("remote_service_problem", extra={"fields": fields})
    service.finish(
        due_at=now + pause,
        failures=failures,
        paused_until=now + retry_after if retry_after is not None else None,
        problem=code[:40],
        problem_since=service.problem_since or now,
    )
