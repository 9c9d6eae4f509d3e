from django.urls import path

from shop import views

app_name = "shop"

urlpatterns = [
    path("", views.products, name="products"),
    path("coupon/", views.coupon, name="coupon"),
    path("invoice/", views.invoice, name="invoice"),
    path("orders/", views.orders, name="orders"),
    path("orders/all/", views.all_orders, name="all_orders"),
    path("orders/create/", views.create, name="create"),
    path("orders/<int:pk>/", views.order_detail, name="order"),
    path("orders/<int:pk>/pay/", views.pay, name="pay"),
    path("orders/<int:pk>/cancel/", views.cancel, name="cancel"),
    path("orders/<int:pk>/items/<int:item_pk>/", views.remove_item, name="remove_item"),
]
