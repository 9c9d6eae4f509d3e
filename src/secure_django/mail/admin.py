"""Staff see to which addresses nothing more is sent, find one, and send to it again."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from secure_django.admin import ModelAdmin
from secure_django.mail.suppressions import hashes
from secure_django.models import Suppression


@admin.register(Suppression)
class SuppressionAdmin(ModelAdmin):
    """A deleted row means that emails are sent again."""

    list_display = ("reason", "provider", "at", "lifted_at", "unsent")
    list_filter = ("reason", "provider")
    ordering = ("-at",)
    search_fields = ("email_hash",)  # for the field of the search: see below
    search_help_text = _("Enter a whole email address: only its hash is stored.")
    fields = list_display

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term:
            queryset = queryset.filter(email_hash__in=hashes(search_term.strip()))
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
