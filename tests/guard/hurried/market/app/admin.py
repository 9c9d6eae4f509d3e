from django.contrib import admin

from market.models import Offer


@admin.register(Offer)
class OfferAdmin(admin.ModelAdmin):
    list_display = ("title", "owner", "price", "is_published", "is_featured")
    list_filter = ("is_published", "is_featured")
    search_fields = ("title", "text")
