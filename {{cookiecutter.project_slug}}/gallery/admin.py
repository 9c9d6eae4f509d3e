from django.contrib import admin
from django.http import HttpRequest
from secure_django.admin import ModelAdmin

from gallery.models import Picture


@admin.register(Picture)
class PictureAdmin(ModelAdmin):
    list_display = ("title", "owner__email", "created_at")
    list_select_related = ("owner",)
    readonly_fields = ("owner",)
    search_fields = ("title",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the owner is always the user who uploads on the site
