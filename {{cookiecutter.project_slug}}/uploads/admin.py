"""Staff review: the queue of photos, and decisions with a record of who, when and why."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import FETCH_PEERS, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html

from core.admin import ModelAdmin
from uploads.models import Photo, Status, Verdict
from uploads.moderation.backends import get_moderation_backend
from uploads.services import review_photo
from users.models import User


class QueueFilter(admin.SimpleListFilter):
    """Show photos that wait for a reviewer by default."""

    title = "status"
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("approved", "Published"), ("rejected", "Not accepted"), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {"selected": self.value() is None, "query_string": "?", "display": "Waiting"}
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> QuerySet[Photo]:
        if self.value() == "all":
            return queryset
        return queryset.filter(status__in=[self.value()] if self.value() else [Status.PENDING, Status.REVIEW])


class VerdictInline(admin.TabularInline):
    model = Verdict
    can_delete = False
    fields = readonly_fields = ("kind", "result", "detail", "decided_by", "updated_at")

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return True  # to all who may see the photo


class RejectForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="The owner reads this.")


@admin.register(Photo)
class PhotoAdmin(ModelAdmin):
    list_display = ("preview", "title", "owner", "status", "reason", "waiting")
    list_display_links = ("preview", "title")
    list_filter = (QueueFilter,)
    list_select_related = ("owner",)
    ordering = ("created_at",)
    search_fields = ("title", "owner__email")
    fields = readonly_fields = ("image", "title", "owner", "original_name", "status", "reason", "created_at")
    inlines = (VerdictInline,)
    actions = ("approve", "reject")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        return super().get_queryset(request).exclude(status=Status.DELETED).fetch_mode(FETCH_PEERS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Photo | None = None) -> bool:
        # Reviewers reject photos instead, which deletes the files and tells the owner.
        return False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("uploads.review_photo")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if request.method == "GET" and (count := Photo.objects.overdue().count()):
            photos = f"{count} photo{pluralize(count, ' has,s have')}"
            text = f"{photos} waited for automatic moderation for more than an hour. The worker's log says why."
            self.message_user(request, text, messages.WARNING)
        return response

    @admin.display(description="waiting since", ordering="created_at")
    def waiting(self, photo: Photo) -> str:
        late = timezone.now() - photo.created_at > timedelta(hours=settings.MODERATION_STUCK_HOURS)
        hidden = photo.status in {Status.PENDING, Status.REVIEW}
        return f"{photo.created_at:%Y-%m-%d %H:%M}{' (too long)' if late and hidden else ''}"

    @admin.display(description="photo")
    def preview(self, photo: Photo) -> str:
        return image_tag(photo, "thumbnail", width=120)

    @admin.display(description="photo")
    def image(self, photo: Photo) -> str:
        return image_tag(photo, "display", width=640)

    @admin.action(description="Approve selected photos", permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        self.review(request, queryset, "approved", "")

    @admin.action(description="Reject selected photos…", permissions=["review"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Photo]) -> HttpResponse | None:
        if queryset.count() > self.list_per_page:
            self.message_user(request, f"Reject at most {self.list_per_page} photos at a time.", messages.ERROR)
            return None
        form = RejectForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self.review(request, queryset, "rejected", form.cleaned_data["reason"])
            return None
        context = self.admin_site.each_context(request) | {"title": "Reject photos", "opts": self.opts}
        context |= {"form": form, "photos": queryset, "checkbox": ACTION_CHECKBOX_NAME}
        return TemplateResponse(request, "admin/uploads/photo/reject.html", context)

    def review(self, request: HttpRequest, queryset: QuerySet[Photo], result: str, reason: str) -> None:
        photos = [photo for photo in queryset if photo.has_files]
        for photo in photos:
            review_photo(photo, cast(User, request.user), result, reason)
            self.log_change(request, photo, f"{result}: {reason}".removesuffix(": "))
        self.message_user(request, f"{len(photos)} photo{pluralize(photos)} {result}.", messages.SUCCESS)
        if gone := len(queryset) - len(photos):
            self.message_user(request, f"{gone} photo{pluralize(gone)} without files left unchanged.", messages.WARNING)


def image_tag(photo: Photo, variant: str, width: int) -> str:
    if not photo.has_files:
        return "deleted"
    url = get_moderation_backend().image_url(photo, variant)
    return format_html('<img src="{}" alt="{}" width="{}" loading="lazy">', url, photo.title, width)
