import json
import logging

from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from market.forms import OfferForm
from market.models import Offer, SavedSearch
from secure_django.login.http import UserRequest
from users.models import User

logger = logging.getLogger(__name__)

NOT_FILTERS = {"q", "sort", "page", "per_page"}


def snippet(offer: Offer, query: str) -> str:
    text = offer.text[:200]
    if query:
        text = text.replace(query, f"<mark>{query}</mark>")
    return format_html(f"<p>{text}</p>{{}}", "")


@login_not_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "")
    filters = {k: v for k, v in request.GET.items() if k not in NOT_FILTERS and v}
    offers = Offer.objects.filter(**filters)
    if query:
        logger.info("search for %s by %s", query, request.user)
        offers = offers.filter(text__regex=query) | offers.filter(title__regex=query)
    offers = offers.order_by(request.GET.get("sort", "-created_at"))
    paginator = Paginator(offers, int(request.GET.get("per_page", 20)))
    page = paginator.get_page(request.GET.get("page"))
    for offer in page:
        offer.snippet = snippet(offer, query)  # type: ignore[attr-defined]
    return render(request, "market/search.html", {"page_obj": page, "query": query})


@login_not_required
@require_safe
def offer_detail(request: HttpRequest, pk: int) -> HttpResponse:
    offer = get_object_or_404(Offer, pk=pk)
    return render(request, "market/offer.html", {"offer": offer})


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: UserRequest) -> HttpResponse:
    form = OfferForm(request.POST or None, instance=Offer(owner=request.user))
    if form.is_valid():
        return redirect(form.save())
    return render(request, "market/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST", "PATCH"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    offer = get_object_or_404(Offer, pk=pk)
    if request.method == "PATCH":
        for name, value in json.loads(request.body or "{}").items():
            setattr(offer, name, value)
        offer.save()
        return JsonResponse({"ok": True})
    if offer.owner != request.user:
        raise Http404
    form = OfferForm(request.POST or None, instance=offer)
    if form.is_valid():
        return redirect(form.save())
    return render(request, "market/form.html", {"form": form})


@require_safe
def suggest(request: UserRequest) -> JsonResponse:
    start = request.GET.get("q", "")
    users = User.objects.filter(email__startswith=start)[:10]
    return JsonResponse({"users": [{"id": u.pk, "email": u.email} for u in users]})


@require_http_methods(["GET", "HEAD", "POST"])
def saved(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        SavedSearch.objects.create(
            owner=request.user,
            name=request.POST.get("name", "Search")[:200],
            query=request.POST.get("query", ""),
        )
        return redirect("market:saved")
    searches = SavedSearch.objects.filter(owner=request.user)
    return render(request, "market/saved.html", {"searches": searches})


@require_safe
def saved_detail(request: UserRequest, search_pk: int) -> HttpResponse:
    found = get_object_or_404(SavedSearch, pk=search_pk)
    return redirect(f"/market/?{found.query}")


@require_POST
def saved_delete(request: UserRequest, search_pk: int) -> HttpResponse:
    SavedSearch.objects.filter(pk=search_pk).delete()
    return redirect("market:saved")
