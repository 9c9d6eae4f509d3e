"""Lists that users search and order, a page at a time."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.db.models import CharField, F, Model, OrderBy, Q, QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict

__all__ = ["PAGE_SIZE", "list_page"]

PAGE_SIZE = 20
MAX_LENGTH = 100  # characters of a search; SQLite refuses patterns of 50,000 bytes


def list_page(
    objects: QuerySet[Any],
    query: QueryDict,
    *,
    search: Sequence[str] = (),
    order: Sequence[str] = (),
) -> dict[str, Any]:
    """Return `page_obj`, `q` and `order` for a template, from the query of a URL.

    Both arguments name fields of the model. `q` of the query is a part of one of those
    to search, whatever its case. `order` is one of those to order by, after a minus
    sign for the other direction. What is not valid counts as not given.
    """
    text = clean_text(query.get("q", ""))
    if text:
        objects = objects.filter(matches(text, search))
    wanted = query.get("order", "")
    name = wanted.removeprefix("-")
    if name not in order:
        wanted = ""
    if wanted:
        is_descending = wanted != name
        objects = objects.order_by(
            order_by(objects.model, name, is_descending),
            "-pk" if is_descending else "pk",
        )
    page = Paginator(objects, PAGE_SIZE).get_page(query.get("page"))
    return {"page_obj": page, "q": text, "order": wanted}


def clean_text(text: str) -> str:
    # PostgreSQL refuses the character 0.
    return text.replace("\0", "").strip()[:MAX_LENGTH]


def matches(text: str, names: Sequence[str]) -> Q:
    """Return the condition that one of the fields contains the text."""
    condition = Q()
    for name in names:
        condition |= Q(**{f"{name}__icontains": text})
    return condition


def order_by(model: type[Model], name: str, is_descending: bool) -> OrderBy:
    """Return an order without regard to case, in which empty values come last."""
    field = model._meta.get_field(name)
    value = Lower(name) if isinstance(field, CharField) else F(name)
    return OrderBy(value, descending=is_descending, nulls_last=True)
