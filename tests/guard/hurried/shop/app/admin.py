from django.contrib import admin

from shop.models import Coupon, Product

admin.site.register(Product)
admin.site.register(Coupon)
