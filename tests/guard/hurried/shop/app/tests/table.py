"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from shop.models import Item, Order, Product
from users.models import User

ROWS = """
/shop/                                       200     200     200     200     200
/shop/coupon/                                200     200     200     200     200
/shop/invoice/                               log-in  404     404     404     404
/shop/orders/                                log-in  200     200     200     200
/shop/orders/all/                            log-in  log-in  log-in  200     200
/shop/orders/create/                         log-in  400     400     400     400
/shop/orders/<pk>/                           log-in  200     404     404     404
/shop/orders/<pk>/pay/                       log-in  away    away    away    away
/shop/orders/<pk>/cancel/                    log-in  away    404     404     404
/shop/orders/<pk>/items/<item_pk>/           log-in  away    404     404     404
/admin/shop/product/                         log-in  log-in  log-in  403     403
/admin/shop/product/add/                     log-in  log-in  log-in  403     403
/admin/shop/product/<object_id>/delete/      log-in  log-in  log-in  403     403
/admin/shop/product/<object_id>/change/      log-in  log-in  log-in  403     403
/admin/shop/coupon/                          log-in  log-in  log-in  403     403
/admin/shop/coupon/add/                      log-in  log-in  log-in  403     403
/admin/shop/coupon/<object_id>/delete/       log-in  log-in  log-in  403     403
/admin/shop/coupon/<object_id>/change/       log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    product = Product.objects.create(name="Cup", price=5, stock=3)
    order = Order.objects.create(owner=owner, address="Main Street 1")
    item = Item.objects.create(order=order, product=product, price=5)
    return {"pk": order.pk, "item_pk": item.pk, "object_id": product.pk}
