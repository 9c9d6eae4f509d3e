from django.contrib import admin
from django.http import HttpRequest
from secure_django.admin import ModelAdmin

from gallery.models import Picture


@admin.register(Picture)
class PictureAdmin(ModelAdmin):
    list_display = ("title", "photo", "owner", "created_at")
    readonly_fields = ("owner",)
    search_fields = ("title",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the owner is always the user who uploads on the site

    def is_on_site(self, request: HttpRequest, obj: Picture) -> bool:
        return bool(obj.photo and obj.photo.is_visible_to(request.user, [obj]))
