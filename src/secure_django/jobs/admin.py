"""Staff see which tasks wait or were given up and why, and let one run again.

Arguments, values and tracebacks hold what users have entered, and a value can be a
secret, such as a link to log in. Like the text of an email, no page shows them.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from secure_django.admin import ModelAdmin
from secure_django.jobs import queues
from secure_django.models import QueuedTask


@admin.register(QueuedTask)
class QueuedTaskAdmin(ModelAdmin):
    """A deleted row means that its task does not run."""

    list_display = (
        "name",
        "queue",
        "status",
        "enqueued_at",
        "last_attempted_at",
        "finished_at",
        "reason",
    )
    list_filter = ("status", "queue")
    ordering = ("-enqueued_at",)
    search_fields = ("name", "=owner")
    search_help_text = _("Enter a part of a task's name, or the id of an account.")
    fields = (*list_display, "priority", "run_after", "attempts", "owner")
    actions = ("run_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The list may repeat tasks; the page of one shows it, and changes nothing.
        return obj is None and super().has_change_permission(request)

    @admin.action(description=_("Run again what was given up"), permissions=["change"])
    def run_again(self, request: HttpRequest, rows: QuerySet[QueuedTask]) -> None:
        number = queues.run_again(rows)
        text = ngettext("%d task runs again.", "%d tasks run again.", number)
        self.message_user(request, text % number, messages.SUCCESS)
