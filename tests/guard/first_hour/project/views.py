"""Views beside all apps."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET
from shop.models import Order


@require_GET
@login_required
def receipt(request: HttpRequest, number: UUID) -> HttpResponse:
    order = get_object_or_404(Order, number=number)
    return HttpResponse(f"{order.number}", content_type="text/plain")
