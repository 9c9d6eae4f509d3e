import json

from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.ratelimit import rate_limit
from hooks.forms import HookForm
from hooks.models import Delivery, Hook
from hooks.sending import deliver
from secure_django.login.http import UserRequest


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def index(request: UserRequest) -> HttpResponse:
    form = HookForm(request.POST or None, instance=Hook(owner=request.user))
    if form.is_valid():
        form.save()
        return redirect("hooks:index")
    found = Hook.objects.filter(owner=request.user).prefetch_related("deliveries")
    hooks = Paginator(found.order_by("pk"), 24).get_page(request.GET.get("page"))
    return render(request, "hooks/index.html", {"hooks": hooks, "form": form})


@require_http_methods(["GET", "HEAD", "PUT", "DELETE"])
def hook_detail(request: UserRequest, pk: int) -> JsonResponse:
    hook = get_object_or_404(Hook, pk=pk, owner=request.user)
    if request.method == "DELETE":
        hook.delete()
        return JsonResponse({"deleted": True})
    if request.method == "PUT":
        try:
            hook.url = json.loads(request.body or "{}").get("url", hook.url)
        except (ValueError, AttributeError):
            return JsonResponse({"error": "no JSON"}, status=400)
        hook.save()
    return JsonResponse({"name": hook.name, "url": hook.url, "secret": hook.secret})


@require_POST
def toggle(request: UserRequest, pk: int) -> HttpResponse:
    hook = get_object_or_404(Hook, pk=pk, owner=request.user)
    hook.is_active = not hook.is_active
    hook.save()
    return redirect("hooks:index")


@require_POST
@rate_limit(30, seconds=3600)
def test(request: UserRequest, pk: int) -> HttpResponse:
    hook = get_object_or_404(Hook, pk=pk, owner=request.user)
    delivery = deliver(hook, "test")
    return redirect("hooks:delivery", pk, delivery.pk)


@require_safe
def delivery(request: UserRequest, pk: int, delivery_pk: int) -> HttpResponse:
    hook = get_object_or_404(Hook, pk=pk, owner=request.user)
    found = get_object_or_404(Delivery, pk=delivery_pk, hook=hook)
    return render(request, "hooks/delivery.html", {"hook": hook, "delivery": found})


@login_not_required
@csrf_exempt
@require_POST
def incoming(request: HttpRequest) -> JsonResponse:
    """Switch a hook off when its server says so."""
    try:
        data = json.loads(request.body)
        hook = Hook.objects.get(url=data["url"])
    except (ValueError, KeyError, TypeError, Hook.DoesNotExist):
        return JsonResponse({"error": "unknown"}, status=400)
    if data.get("secret") != hook.secret:
        return JsonResponse({"error": "wrong secret"}, status=403)
    hook.is_active = bool(data.get("active"))
    hook.save()
    return JsonResponse({"ok": True})
