"""Health checks: whether this process answers, and whether it reaches database and broker."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from . import broker


@require_safe
def liveness(request: HttpRequest) -> HttpResponse:
    """200 when the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readiness(request: HttpRequest) -> JsonResponse:
    """503 without the database. Without the broker 200, and `broker` is false: it only wakes workers."""
    parts = {"database": _database_answers(), "broker": broker.answers()}
    return JsonResponse(parts, status=200 if parts["database"] else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
