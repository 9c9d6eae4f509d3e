"""Pairs of views: a safe one, and one that is unsafe in one way."""

import csv
import json
import secrets
from datetime import date
from typing import Any

from bank.models import Bid, Order, Paper, Seat, Ticket, Voucher
from django import forms
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from secure_django.forms import BoundedFormMixin
from secure_django.http import json_body

User = get_user_model()


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=99)


class DueForm(forms.ModelForm):
    due_at = forms.DateTimeField()

    class Meta:
        model = Order
        fields = ("due_at",)


class BoundedDueForm(BoundedFormMixin, DueForm):
    pass


class OrdersForm(forms.Form):
    orders = forms.ModelMultipleChoiceField(Order.objects.none(), required=False)

    def __init__(self, user: Any, *args: Any) -> None:
        super().__init__(*args)
        orders: Any = self.fields["orders"]
        orders.queryset = Order.objects.filter(customer=user)


class BoundedOrdersForm(BoundedFormMixin, OrdersForm):
    pass


class EnrollForm(forms.Form):
    password = forms.CharField(widget=forms.PasswordInput)


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
    values = json_body(request, {"note": str})
    Order.objects.filter(customer=request.user).update(note=values["note"][:80])
    return HttpResponse(str(len(values["note"])))


@require_POST
@login_required
def api_unsafe(request: HttpRequest) -> HttpResponse:
    try:
        values = json.loads(request.body)
    except json.JSONDecodeError:
        return HttpResponseBadRequest("The body is no JSON.")
    if not isinstance(values, dict) or not isinstance(values.get("note"), str):
        return HttpResponseBadRequest("The note is missing.")
    Order.objects.filter(customer=request.user).update(note=values["note"][:80])
    return HttpResponse(str(len(values["note"])))


@require_http_methods(["GET", "POST"])
@login_required
def due(request: HttpRequest) -> HttpResponse:
    return show_due(request, BoundedDueForm)


@require_http_methods(["GET", "POST"])
@login_required
def due_unsafe(request: HttpRequest) -> HttpResponse:
    return show_due(request, DueForm)


def show_due(request: HttpRequest, form_class: type[DueForm]) -> HttpResponse:
    order = Order.objects.filter(customer=request.user).first()
    form = form_class(request.POST or None, instance=order)
    if order and form.is_valid():
        form.save()
    return render(request, "bank/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    return show_orders(request, BoundedOrdersForm)


@require_http_methods(["GET", "POST"])
@login_required
def choose_unsafe(request: HttpRequest) -> HttpResponse:
    return show_orders(request, OrdersForm)


def show_orders(request: HttpRequest, form_class: type[OrdersForm]) -> HttpResponse:
    form = form_class(request.user, request.POST or None)
    form.is_valid()
    return render(request, "bank/form.html", {"form": form})


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


@require_POST
@login_required
def sell(request: HttpRequest) -> HttpResponse:
    Order.objects.filter(customer=request.user).update(quantity=F("quantity") - 1)
    return redirect("/bank/order/")


@require_POST
@login_required
def sell_unsafe(request: HttpRequest) -> HttpResponse:
    for each in Order.objects.filter(customer=request.user)[:9]:
        each.quantity -= 1
        each.save()
    return redirect("/bank/order/")


@require_POST
@login_required
def bid(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        seat = request.user.seat_set.select_for_update().first()
        if seat and not Bid.objects.filter(seat=seat).exists():
            Bid.objects.create(seat=seat, holder=request.user)
    return redirect("/bank/order/")


@require_POST
@login_required
def bid_unsafe(request: HttpRequest) -> HttpResponse:
    seat = request.user.seat_set.first()
    if seat and not seat.bid_set.exists():
        Bid.objects.create(seat=seat, holder=request.user)
    return redirect("/bank/order/")


@require_POST
@login_required
def book(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        take_seat(Seat.objects.select_for_update().get(owner=request.user), request)
    return redirect("/bank/order/")


def take_seat(seat: Seat, request: HttpRequest) -> None:
    """Take a seat that the caller has locked."""
    if not seat.is_taken:
        seat.is_taken = True
        seat.save()
        Ticket.objects.create(seat=seat, holder=request.user)


@require_POST
@login_required
def book_unsafe(request: HttpRequest) -> HttpResponse:
    seat = Seat.objects.get(owner=request.user)
    if not seat.is_taken:
        seat.is_taken = True
        seat.save()
        Ticket.objects.create(seat=seat, holder=request.user)
    return redirect("/bank/order/")


@require_POST
@login_required
def unlock(request: HttpRequest) -> HttpResponse:
    cache.incr(f"throttle-{request.user.pk}", ignore_key_check=True)
    token = request.POST.get("token", "")
    if not secrets.compare_digest(token.encode(), b"from the settings"):
        raise PermissionDenied
    return redirect("/bank/order/")


@require_POST
@login_required
def unlock_unsafe(request: HttpRequest) -> HttpResponse:
    token = request.POST.get("token", "")
    right_token = "from the settings"
    if token != right_token:
        raise PermissionDenied
    return redirect("/bank/order/")


def print_labels(copies: int) -> None:
    printed = 0
    while printed < copies:
        printed += 1


@require_POST
@login_required
def loop(request: HttpRequest) -> HttpResponse:
    text = request.POST.get("copies", "")
    copies = int(text) if text.isdecimal() and len(text) < 3 else 1
    print_labels(copies)
    return redirect("/bank/order/")


@require_POST
@login_required
def loop_unsafe(request: HttpRequest) -> HttpResponse:
    text = request.POST.get("copies", "")
    copies = int(text) if text.isdecimal() and len(text) < 10 else 1
    print_labels(copies)
    return redirect("/bank/order/")


class PaperForm(forms.Form):
    file = forms.FileField()


def check_size(file: Any) -> None:
    if file.size > 5_000_000:
        raise ValidationError(_("The file has more than 5 MB."))


class ShortPaperForm(forms.Form):
    file = forms.FileField(validators=[check_size])


def store(request: HttpRequest, kind: type[forms.Form]) -> HttpResponse:
    form = kind(request.POST or None, request.FILES or None)
    if form.is_valid():
        Paper.objects.create(owner=request.user, **form.cleaned_data)
    return render(request, "bank/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@login_required
def file(request: HttpRequest) -> HttpResponse:
    return store(request, ShortPaperForm)


@require_http_methods(["GET", "POST"])
@login_required
def file_unsafe(request: HttpRequest) -> HttpResponse:
    return store(request, PaperForm)


@require_http_methods(["GET", "POST"])
def enroll(request: HttpRequest) -> HttpResponse:
    form = EnrollForm(request.POST or None)
    if form.is_valid():
        send_mail("Welcome", "Your account is open.", None, ["office@example.com"])
    return render(request, "bank/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
def enroll_unsafe(request: HttpRequest) -> HttpResponse:
    form = EnrollForm(request.POST or None)
    if form.is_valid():
        text = f"Your password is {form.cleaned_data['password']}"
        send_mail("Welcome", text, None, ["office@example.com"])
    return render(request, "bank/form.html", {"form": form})


@require_POST
@login_required
def count(request: HttpRequest) -> HttpResponse:
    try:
        number = int(request.POST.get("pieces", ""))
    except ValueError:
        return HttpResponseBadRequest("Write a number.")
    return HttpResponse(str(number))


@require_POST
@login_required
def count_unsafe(request: HttpRequest) -> HttpResponse:
    try:
        number = int(request.POST.get("pieces", ""))
    except ValueError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain")
    return HttpResponse(str(number))


@require_GET
@login_required
def look(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.headers.get("X-Api-Key", ""))))


@require_GET
@login_required
def look_unsafe(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.GET.get("api_key", ""))))


@require_POST
@login_required
def end(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/enter/")


@require_GET
@login_required
def end_unsafe(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/enter/")


@require_GET
@login_required
def back(request: HttpRequest) -> HttpResponse:
    previous = request.META.get("HTTP_REFERER", "")
    is_own = url_has_allowed_host_and_scheme(previous, {request.get_host()})
    return redirect(previous if is_own else "/bank/order/")


@require_GET
@login_required
def back_unsafe(request: HttpRequest) -> HttpResponse:
    return redirect(request.META.get("HTTP_REFERER", "/bank/order/"))
