"""Staff review: the queue of photos, the page of each one, and decisions.

A record says who decided, when and why.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.admin import ModelAdmin
from uploads.models import WAITING, Photo, Status, Verdict
from uploads.moderation.backends import get_moderation_backend
from uploads.services import review_photo
from users.models import User

DONE = {
    "approved": _("Photos approved: {count}."),
    "rejected": _("Photos rejected: {count}."),
}
DECIDED = _("Photos left unchanged: {count}, already decided by {names}.")
CHANGED = _("Photos left unchanged: {count}, changed or deleted meanwhile.")
MANY = _("Only {count} of the matching photos are shown. Type more of the title.")
OVERDUE = _(
    "Photos that wait for automatic moderation for more than an hour: {count}. "
    "The worker's log says why."
)


SHOWN = [status for status in Status if status != Status.DELETED]


class FirstThousand(Paginator):
    """Count and show at most LIMIT photos, so that the cost of a page is bounded."""

    LIMIT = 1000

    @cached_property
    def count(self) -> int:
        return cast(QuerySet[Photo], self.object_list).order_by()[: self.LIMIT].count()


class QueueFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "show"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin
    ) -> list[tuple[str, Any]]:
        return [
            ("approved", _("Approved")),
            ("rejected", _("Not accepted")),
            ("all", _("All")),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {
            "selected": self.value() is None,
            "query_string": "?",
            "display": _("Waiting"),
        }
        yield from list(super().choices(changelist))[1:]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Photo]
    ) -> QuerySet[Photo]:
        if self.value() == "all":
            return queryset
        # Any other text would reach the database, and PostgreSQL refuses NUL.
        return queryset.filter(
            status__in=[self.value()] if self.value() in Status.values else WAITING
        )


class RejectForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.TextInput(
            {"accesskey": "r", "autocomplete": "off", "list": "reasons"}
        ),
        help_text=_("Choose one or write your own. The owner reads it."),
    )


@admin.register(Photo)
class PhotoAdmin(ModelAdmin):
    list_display = ("preview", "details", "state", "waiting")
    list_display_links = ("preview", "details")
    list_filter = (QueueFilter,)
    list_max_show_all = list_per_page = 100
    sortable_by = ()  # each list and search uses an index: no column sorts
    paginator = FirstThousand
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("title",)  # shows the search, which get_search_results answers
    actions = ("approve", "reject")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        photos = (
            Photo.objects.not_deleted()
            .defer("original_name")
            .select_related("owner")
            .order_by(*self.get_ordering(request))
        )
        return get_moderation_backend().with_image_urls(photos)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # The queue begins with the oldest photo, the other lists with the newest.
        return (
            ("-created_at", "-id") if request.GET.get("show") else ("created_at", "id")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Photo], search_term: str
    ) -> tuple[Any, bool]:
        # One indexed comparison each. Django's own search reads every photo for each
        # word.
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            return queryset.filter(owner__email=term.lower()), False
        with suppress(ValueError):
            return queryset.filter(pk=UUID(term.rstrip("/").rpartition("/")[2])), False
        # In two statements: PostgreSQL would read all photos for both at once. The
        # first names the statuses, with which the index of the titles begins.
        shown = queryset.filter(status__in=SHOWN, title__startswith=term).order_by()
        found = list(shown.values_list("pk", flat=True)[: self.list_per_page])
        if len(found) == self.list_per_page and request.method == "GET":
            text = MANY.format(count=self.list_per_page)
            self.message_user(request, text, messages.WARNING)
        return self.get_queryset(request).filter(pk__in=found), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Photo | None = None
    ) -> bool:
        # Reviewers reject photos: this deletes the files and tells the owner.
        return False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("uploads.review_photo")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(
            request, {"title": _("Photos")} | (extra_context or {})
        )
        overdue = get_moderation_backend().overdue(Photo.objects.all())
        if request.method == "GET" and (count := overdue.count()):
            self.message_user(request, OVERDUE.format(count=count), messages.WARNING)
        return response

    @admin.display(description=_("uploaded"))
    def waiting(self, photo: Photo) -> str:
        late = timezone.now() - photo.created_at > timedelta(
            hours=settings.MODERATION_STUCK_HOURS
        )
        date = localize(timezone.localtime(photo.created_at))
        return (
            gettext("{date}, waits too long").format(date=date)
            if late and photo.status in WAITING
            else date
        )

    @admin.display(description=_("photo"))
    def preview(self, photo: Photo) -> str:
        if not photo.is_moderated:
            return gettext("private")
        if not photo.has_files:
            return gettext("deleted")
        url = get_moderation_backend().image_url(photo, "thumbnail")
        return format_html('<img src="{}" alt="{}" loading="lazy">', url, photo.title)

    @admin.display(description=_("title and owner"))
    def details(self, photo: Photo) -> str:
        owner = photo.owner.email if photo.owner else _("deleted account")
        return format_html(
            "{}<small>{} · {}</small>", photo.title, photo.purpose_label, owner
        )

    @admin.display(description=_("status"))
    def state(self, photo: Photo) -> str:
        return format_html(
            "{}<small>{}</small>", photo.get_status_display(), photo.reason
        )

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show all about a photo, and after a decision the next one that waits."""
        may_review = self.has_review_permission(request)
        if not self.has_view_permission(request) or (
            request.method == "POST" and not may_review
        ):
            raise PermissionDenied
        photo = self.get_object(request, object_id)
        if not photo:
            self.message_user(request, _("This photo was deleted."), messages.WARNING)
            return redirect("admin:uploads_photo_changelist")
        waiting = Photo.objects.waiting().exclude(pk=photo.pk)
        following = (
            waiting.filter(created_at__gt=photo.created_at).first() or waiting.first()
        )
        form = RejectForm(request.POST if "reason" in request.POST else None)
        if form.is_valid() or "approve" in request.POST:
            result, reason = (
                ("rejected", form.cleaned_data["reason"])
                if form.is_valid()
                else ("approved", "")
            )
            shown = self.get_queryset(request).filter(pk=photo.pk)
            if not self.review(request, shown, result, reason, [str(photo.pk)]):
                return redirect(request.path)
            if following:
                return redirect("admin:uploads_photo_change", following.pk)
            self.message_user(request, _("No other photo waits for review."))
            return redirect("admin:uploads_photo_changelist")
        return self.page(
            request,
            "change_form",
            title=photo,
            photo=photo,
            form=form,
            following=following,
        )

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        context |= self.admin_site.each_context(request)
        return TemplateResponse(
            request, f"admin/uploads/photo/{template}.html", context
        )

    @admin.action(description=_("Approve selected photos"), permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        self.review(request, queryset, "approved")

    @admin.action(description=_("Reject selected photos…"), permissions=["review"])
    def reject(
        self, request: HttpRequest, queryset: QuerySet[Photo]
    ) -> HttpResponse | None:
        form = RejectForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self.review(request, queryset, "rejected", form.cleaned_data["reason"])
            return None
        return self.page(
            request, "reject", title=_("Reject photos"), photos=queryset, form=form
        )

    def review(
        self,
        request: HttpRequest,
        photos: QuerySet[Photo],
        result: str,
        reason: str = "",
        keys: Sequence[str] = (),
    ) -> bool:
        """Decide on the photos that are still as the reviewer's page showed them.

        Say how many were not.
        """
        # Photos that another reviewer has decided are selected, but no longer in the
        # queryset of the queue.
        left: set[Any] = set(keys or request.POST.getlist(ACTION_CHECKBOX_NAME))
        selected = len(left)
        for photo in photos[: self.list_per_page]:
            shown = request.POST.get(f"status-{photo.pk}", photo.status)
            if review_photo(photo, cast(User, request.user), result, reason, shown):
                # By its id, and without the reason: the texts of a photo are deleted
                # with it, but the record stays.
                self.log_change(
                    request, Photo(pk=photo.pk), str(Verdict.Result(result).label)
                )
                left.discard(str(photo.pk))
        if done := selected - len(left):
            self.message_user(
                request, DONE[result].format(count=done), messages.SUCCESS
            )
        if left:
            others = Verdict.objects.filter(photo__in=left).exclude(decided_by=None)
            names = ", ".join(
                sorted(set(others.values_list("decided_by__email", flat=True)))
            )
            text = (DECIDED if names else CHANGED).format(count=len(left), names=names)
            self.message_user(request, text, messages.WARNING)
        return not left
