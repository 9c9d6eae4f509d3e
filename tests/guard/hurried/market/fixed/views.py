import json
import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.ratelimit import rate_limit
from market.forms import OfferForm
from market.models import Offer, SavedSearch
from secure_django.login.http import UserRequest
from users.models import User

logger = logging.getLogger(__name__)

FILTERS = {"city"}
ORDERS = {"created_at", "-created_at", "price", "-price"}


def snippet(offer: Offer, query: str) -> str:
    text = offer.text[:200]
    if not query:
        return format_html("<p>{}</p>", text)
    mark = format_html("<mark>{}</mark>", query)
    parts = ((part,) for part in text.split(query))
    return format_html("<p>{}</p>", format_html_join(mark, "{}", parts))


@login_not_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "")
    filters = {k: v for k, v in request.GET.items() if k in FILTERS and v}
    offers = Offer.objects.filter(is_published=True, **filters)
    if query:
        logger.info("search by user %s", request.user.pk)
        offers = offers.filter(text__regex=query) | offers.filter(title__regex=query)
    sort = request.GET.get("sort", "")
    offers = offers.order_by(sort if sort in ORDERS else "-created_at")
    size = request.GET.get("per_page", "")
    paginator = Paginator(offers, int(size) if size.isdecimal() else 20)
    page = paginator.get_page(request.GET.get("page"))
    for offer in page:
        offer.snippet = snippet(offer, query)  # type: ignore[attr-defined]
    return render(request, "market/search.html", {"page_obj": page, "query": query})


@login_not_required
@require_safe
def offer_detail(request: HttpRequest, pk: int) -> HttpResponse:
    may_read = Q(is_published=True) | Q(owner=request.user.pk)
    offer = get_object_or_404(Offer, may_read, pk=pk)
    return render(request, "market/offer.html", {"offer": offer})


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    form = OfferForm(request.POST or None, instance=Offer(owner=request.user))
    if form.is_valid():
        return redirect(form.save())
    return render(request, "market/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST", "PATCH"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    offer = get_object_or_404(Offer, pk=pk, owner=request.user)
    if request.method == "PATCH":
        try:
            for name, value in json.loads(request.body or "{}").items():
                if name in OfferForm.base_fields:
                    setattr(offer, name, value)
            offer.full_clean()
            offer.save()
        except (AttributeError, ValidationError, ValueError):
            return JsonResponse({"ok": False}, status=400)
        return JsonResponse({"ok": True})
    form = OfferForm(request.POST or None, instance=offer)
    if form.is_valid():
        return redirect(form.save())
    return render(request, "market/form.html", {"form": form})


@require_safe
def suggest(request: UserRequest) -> JsonResponse:
    start = request.GET.get("q", "")
    users = User.objects.filter(email__startswith=start)[:10]
    return JsonResponse({"users": [{"id": u.pk, "name": str(u)} for u in users]})


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def saved(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        SavedSearch.objects.create(
            owner=request.user,
            name=request.POST.get("name", "Search")[:200],
            query=request.POST.get("query", "")[:1000],
        )
        return redirect("market:saved")
    found = SavedSearch.objects.filter(owner=request.user).order_by("pk")
    searches = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "market/saved.html", {"searches": searches})


@require_safe
def saved_detail(request: UserRequest, search_pk: int) -> HttpResponse:
    found = get_object_or_404(SavedSearch, pk=search_pk, owner=request.user)
    return redirect(f"/market/?{found.query}")


@require_POST
def saved_delete(request: UserRequest, search_pk: int) -> HttpResponse:
    get_object_or_404(SavedSearch, pk=search_pk, owner=request.user).delete()
    return redirect("market:saved")
