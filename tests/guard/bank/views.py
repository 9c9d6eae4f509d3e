"""Pairs of views: a safe one, and one that is unsafe in one way."""

import csv
import json
from datetime import date

from bank.models import Order, Voucher
from django import forms
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

User = get_user_model()


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=99)


class EmailForm(forms.Form):
    email = forms.EmailField()


@require_GET
@login_required
def page(request: HttpRequest) -> HttpResponse:
    number = request.GET.get("page", "1")
    if not number.isascii() or not number.isdigit() or len(number) > 4:
        raise Http404
    return render(request, "bank/form.html", {"number": int(number)})


@require_GET
@login_required
def page_unsafe(request: HttpRequest) -> HttpResponse:
    number = int(request.GET.get("page", 1))
    return render(request, "bank/form.html", {"number": number})


@require_GET
@login_required
def day(request: HttpRequest, code: str) -> HttpResponse:
    try:
        found = date.fromisoformat(code)
    except ValueError as error:
        raise Http404 from error
    return render(request, "bank/form.html", {"number": found})


@require_GET
@login_required
def day_unsafe(request: HttpRequest, code: str) -> HttpResponse:
    found = date.fromisoformat(code)
    return render(request, "bank/form.html", {"number": found})


@require_POST
@login_required
def api(request: HttpRequest) -> HttpResponse:
    try:
        values = json.loads(request.body)
    except ValueError:
        return HttpResponseBadRequest("The body is no JSON.")
    if not isinstance(values, dict) or not isinstance(values.get("note"), str):
        return HttpResponseBadRequest("The note is missing.")
    return HttpResponse(str(len(values["note"])))


@require_POST
@login_required
def api_unsafe(request: HttpRequest) -> HttpResponse:
    values = json.loads(request.body)
    return HttpResponse(str(len(values["note"])))


@require_http_methods(["GET", "POST"])
@login_required
def order(request: HttpRequest) -> HttpResponse:
    form = QuantityForm(request.POST or None)
    if form.is_valid():
        Order.objects.create(customer=request.user, **form.cleaned_data)
    return render(request, "bank/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def order_unsafe(request: HttpRequest) -> HttpResponse:
    text = request.POST.get("quantity", "")
    if text.removeprefix("-").isdigit() and len(text) < 8:
        Order.objects.create(customer=request.user, quantity=int(text))
    return render(request, "bank/form.html")


def write_orders(request: HttpRequest, prefix: str) -> HttpResponse:
    response = HttpResponse(content_type="text/csv")
    writer = csv.writer(response)
    for each in Order.objects.filter(customer=request.user)[:99]:
        writer.writerow([f"{prefix}{each.note}", each.quantity])
    return response


@require_GET
@login_required
def export(request: HttpRequest) -> HttpResponse:
    return write_orders(request, "'")


@require_GET
@login_required
def export_unsafe(request: HttpRequest) -> HttpResponse:
    return write_orders(request, "")


@require_POST
@login_required
def tell(request: HttpRequest) -> HttpResponse:
    for each in User.objects.all()[:9]:
        send_mail("News", "We are open.", None, [each.email])
    return redirect("/bank/order/")


@require_POST
@login_required
def tell_unsafe(request: HttpRequest) -> HttpResponse:
    emails = [user.email for user in User.objects.all()[:9]]
    send_mail("News", "We are open.", None, emails)
    return redirect("/bank/order/")


@require_POST
@login_required
def leave(request: HttpRequest) -> HttpResponse:
    if request.user.check_password(request.POST.get("password", "")):
        request.user.delete()
    return redirect("/bank/order/")


@require_POST
@login_required
def leave_unsafe(request: HttpRequest) -> HttpResponse:
    user = request.user
    logout(request)
    user.delete()
    return redirect("/bank/order/")


@require_http_methods(["GET", "POST"])
def remind(request: HttpRequest) -> HttpResponse:
    form = EmailForm(request.POST or None)
    told = "Look into your inbox." if form.is_valid() else ""
    return render(request, "bank/form.html", {"form": form, "number": told})


@require_http_methods(["GET", "POST"])
def remind_unsafe(request: HttpRequest) -> HttpResponse:
    form = EmailForm(request.POST or None)
    told = ""
    if form.is_valid():
        known = User.objects.filter(email=form.cleaned_data["email"]).exists()
        told = "Look into your inbox." if known else "There is no such account."
    return render(request, "bank/form.html", {"form": form, "number": told})


@require_http_methods(["GET", "POST"])
def voucher(request: HttpRequest, token: str) -> HttpResponse:
    found = get_object_or_404(Voucher, token=token, used_at=None)
    if request.method == "POST":
        found.use()
    return render(request, "bank/form.html")


@require_http_methods(["GET", "POST"])
def voucher_unsafe(request: HttpRequest, token: str) -> HttpResponse:
    found = get_object_or_404(Voucher, token=token)
    if request.method == "POST":
        found.use()
    return render(request, "bank/form.html")
