from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from secure_django.admin import ModelAdmin

from gallery.models import Picture


@admin.register(Picture)
class PictureAdmin(ModelAdmin):
    list_display = ("title", "owner_email", "created_at")
    list_select_related = ("owner",)
    readonly_fields = ("owner",)
    search_fields = ("title",)

    @admin.display(description=_("owner"), ordering="owner__email")
    def owner_email(self, picture: Picture) -> str:
        return picture.owner.email

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the owner is always the user who uploads on the site
