import json
from decimal import Decimal

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_not_required
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.html import format_html
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

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
    return render(request, "shop/products.html", {"products": Product.objects.all()})


@login_not_required
@require_safe
def coupon(request: HttpRequest) -> JsonResponse:
    found = Coupon.objects.filter(code=request.GET.get("code", "")).first()
    return JsonResponse({"percent": found.percent if found else 0})


@require_safe
def orders(request: UserRequest) -> HttpResponse:
    found = Order.objects.filter(owner=request.user)
    return render(request, "shop/orders.html", {"orders": found})


@require_POST
def create(request: UserRequest) -> HttpResponse:
    try:
        lines = json.loads(request.body or "[]")
    except ValueError:
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
    return render(request, "shop/order.html", {"order": order, "form": form})


@require_safe
def invoice(request: UserRequest) -> HttpResponse:
    order = get_object_or_404(Order, pk=request.GET.get("order") or 0)
    return render(request, "shop/invoice.html", {"order": order})


@require_POST
def pay(request: UserRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk)
    order.status = request.POST.get("status", Order.Status.PAID)
    order.save()
    send_mail(
        f"Order {order.pk} is paid",
        f"{order.total} for {order.address}\n{order.note}",
        None,
        [request.POST.get("email") or order.owner.email],
    )
    return redirect("shop:orders")


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: UserRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    order.status = Order.Status.CANCELLED
    order.save()
    return redirect("shop:orders")


@require_http_methods(["POST", "DELETE"])
def remove_item(request: UserRequest, pk: int, item_pk: int) -> HttpResponse:
    order = get_object_or_404(Order, pk=pk, owner=request.user)
    get_object_or_404(Item, pk=item_pk).delete()
    update_total(order)
    return redirect(order)


@require_safe
@staff_member_required
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
