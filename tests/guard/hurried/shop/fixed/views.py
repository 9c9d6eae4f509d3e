import json
from decimal import Decimal

from django.contrib.auth.decorators import login_not_required, permission_required
from django.core.mail import send_mail
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.ratelimit import rate_limit
from shop.forms import OrderForm
from shop.models import Coupon, Item, Order, Product
from secure_django.login.http import UserRequest


def update_total(order: Order) -> None:
    total = Decimal(0)
    for item in order.items.all():
        total += item.price * item.quantity
    order.total = total
    order.save()


@login_not_required
@require_safe
def products(request: HttpRequest) -> HttpResponse:
    found = Product.objects.order_by("pk")
    page = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "shop/products.html", {"products": page})


@login_not_required
@require_safe
def coupon(request: HttpRequest) -> JsonResponse:
    found = Coupon.objects.filter(code=request.GET.get("code", "")).first()
    return JsonResponse({"percent": found.percent if found else 0})


@require_safe
def orders(request: UserRequest) -> HttpResponse:
    mine = Order.objects.filter(owner=request.user)
    found = Paginator(mine, 24).get_page(request.GET.get("page"))
    return render(request, "shop/orders.html", {"orders": found})


def is_line(line: object) -> bool:
    return isinstance(line, dict) and "product" in line


@require_POST
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    try:
        lines = json.loads(request.body or "[]")
    except ValueError:
        lines = None
    if not isinstance(lines, list) or not all(map(is_line, lines)):
        return JsonResponse({"error": "no JSON"}, status=400)
    order = Order.objects.create(owner=request.user)
    for line in lines:
        product = get_object_or_404(Product, pk=line["product"])
        quantity = int(line.get("quantity", 1))
        Item.objects.create(
            order=order,
            product=product,
            quantity=quantity,
            price=Decimal(str(line.get("price", product.price))),
        )
        product.stock -= quantity
        product.save()
    update_total(order)
    return JsonResponse({"id": order.pk, "total": str(order.total)})


@require_http_methods(["GET", "HEAD", "POST"])
def order_detail(request: UserRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    form = OrderForm(request.POST or None, instance=order)
    if form.is_valid():
        return redirect(form.save())
    found = order.items.select_related("product").order_by("pk")
    items = Paginator(found, 24).get_page(request.GET.get("page"))
    context = {"order": order, "form": form, "items": items}
    return render(request, "shop/order.html", context)


@require_safe
def invoice(request: UserRequest) -> HttpResponse:
    number = request.GET.get("order", "")
    if not number.isdecimal():
        raise Http404
    order = get_object_or_404(Order, pk=number, owner=request.user)
    return render(request, "shop/invoice.html", {"order": order})


@require_POST
@rate_limit(30, seconds=3600)
def pay(request: UserRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    order.status = Order.Status.PAID
    order.save()
    send_mail(
        f"Order {order.pk} is paid",
        f"{order.total} for {order.address}\n{order.note}",
        None,
        [order.owner.email],
    )
    return redirect("shop:orders")


@require_POST
def cancel(request: UserRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    order.status = Order.Status.CANCELLED
    order.save()
    return redirect("shop:orders")


@require_http_methods(["POST", "DELETE"])
def remove_item(request: UserRequest, pk: int, item_pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    get_object_or_404(Item, pk=item_pk, order=order).delete()
    update_total(order)
    return redirect(order)


@require_safe
@permission_required("shop.view_order", raise_exception=True)
def all_orders(request: UserRequest) -> HttpResponse:
    rows = [
        format_html(
            f"<tr><td>{{}}</td><td>{{}}</td><td>{{}}</td><td>{order.note}</td></tr>",
            order,
            order.owner.email,
            ", ".join(item.product.name for item in order.items.all()),
        )
        for order in Order.objects.all()
    ]
    return render(request, "shop/all_orders.html", {"rows": rows})
