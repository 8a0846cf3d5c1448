"""The categories of functions in the address book, counted after each copy instead of for each page."""

from django.db import connection
from django.db.models import QuerySet

from .forms import Position
from .models import Category, FunctionAddress

_COUNTED = """
SELECT left(trim(category), 256), count(*)
FROM addressbook_functionaddress AS f, jsonb_array_elements_text(f.categories) AS category
WHERE f.gone_at IS NULL AND trim(category) <> '' GROUP BY 1
"""


def refresh_categories() -> None:
    """Count the functions of each category again, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED)
        counted = dict(cursor.fetchall())
    Category.objects.exclude(name__in=counted).delete()
    Category.objects.bulk_create(
        (Category(name=name, function_count=count) for name, count in sorted(counted.items())),
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["function_count"],
    )


def functions_in(category: Category, after: Position | None, most: int) -> QuerySet[FunctionAddress]:
    """The functions with the category by name, `most` of them, after a position."""
    rows = FunctionAddress.objects.filter(gone_at=None, categories__contains=[category.name])
    if after is not None:
        rows = rows.filter(after.following("name"))
    return rows.select_related("organisation").order_by("name", "pk")[:most]
