"""Staff review: the queue of photos, the page of each one, and decisions.

Each decision is stored with the reviewer, the time and the reason.
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
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from secure_django.admin import ModelAdmin, admin_of, show_field
from secure_django.photos.fields import PhotoField
from secure_django.photos.models import WAITING, Photo, Status, Verdict
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.purposes import purpose_of
from secure_django.photos.services import review_photo
from secure_django.user import User, staff_label

DONE = {
    "approved": _("Photos approved: {count}."),
    "rejected": _("Photos rejected: {count}."),
}
DECIDED = _("Photos left unchanged: {count}, already decided by {names}.")
CHANGED = _("Photos left unchanged: {count}, changed or deleted meanwhile.")
LEFT = _("Photos left unchanged: {count}, since what they belong to was deleted.")
LEFT_ONE = _("What this photo belongs to was deleted, so there is nothing to decide.")
MANY = _("Only {count} of the matching photos are shown. Type more of the title.")
OVERDUE = _(
    "Photos that wait for automatic moderation for more than an hour: {count}. "
    "The worker's log says why."
)

OWNER_EMAIL = f"owner__{User.get_email_field_name()}"
SHOWN = [status for status in Status if status != Status.DELETED]


class FirstThousand(Paginator):
    """Count and show at most LIMIT photos, so that the cost of a page is bounded."""

    LIMIT = 1000

    @cached_property
    def count(self) -> int:
        photos = cast(QuerySet[Photo], self.object_list)
        return photos.order_by()[: self.LIMIT].count()


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
        value = self.value()
        if value == "all":
            return queryset
        # Any other text would reach the database, and PostgreSQL refuses NUL.
        statuses = [value] if value in Status.values else WAITING
        return queryset.filter(status__in=statuses)


class RejectForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.TextInput(
            {"accesskey": "r", "autocomplete": "off", "list": "reasons"}
        ),
        help_text=_("Choose one or write your own. The owner reads it."),
    )


def may_review(user: Any) -> bool:
    """Return whether the user may open the page of a photo, and decide there."""
    names = ("view_photo", "review_photo")
    return bool(user.has_perms([f"secure_django_photos.{name}" for name in names]))


def describe_image(photo: Photo) -> str:
    """Return the thumbnail, or why staff see none."""
    if not photo.is_moderated:
        return gettext("private")
    if not photo.has_files:
        return gettext("deleted")
    url = get_moderation_backend().image_url(photo, "thumbnail")
    return format_html('<img src="{}" alt="{}" loading="lazy">', url, photo.title)


@show_field.register
def show_photo(
    field: PhotoField, instance: Any, request: HttpRequest, linked: bool
) -> str | None:
    """Return the photo with its status, linked to the page where staff review it."""
    photo: Photo | None = getattr(instance, field.name)
    if photo is None:
        return None
    status = "" if photo.status == Status.APPROVED else photo.status_label
    if photo.is_moderated and not photo.is_visible_to(request.user, [instance]):
        return status or gettext("hidden")
    shown = format_html(
        '<span class="photo">{}<small>{}</small></span>', describe_image(photo), status
    )
    if not linked or not may_review(request.user):
        return shown
    page = reverse("admin:secure_django_photos_photo_change", args=[photo.pk])
    return format_html('<a href="{}">{}</a>', page, shown)


@admin.register(Photo)
class PhotoAdmin(ModelAdmin):
    list_display = ("preview", "details", "state", "waiting")
    list_display_links = ("preview", "details")
    list_filter = (QueueFilter,)
    list_max_show_all = 100
    list_per_page = 100
    sortable_by = ()  # each list and search uses an index: no column sorts
    paginator = FirstThousand
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ("title",)  # shows the search, which get_search_results answers
    actions = ("approve", "reject")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        photos = Photo.objects.not_deleted().used().defer("original_name")
        photos = photos.select_related("owner").order_by(*self.get_ordering(request))
        return get_moderation_backend().with_image_urls(photos)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # The queue begins with the oldest photo, the other lists with the newest.
        if request.GET.get("show"):
            return ("-created_at", "-id")
        return ("created_at", "id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Photo], search_term: str
    ) -> tuple[Any, bool]:
        # Each kind of search is one indexed comparison. Django's own search reads every
        # photo for each word.
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            spellings = [term, term.lower()]
            return queryset.filter(**{f"{OWNER_EMAIL}__in": spellings}), False
        with suppress(ValueError):
            return queryset.filter(pk=read_id(term)), False
        # In two statements: PostgreSQL would read all photos for a single one. The
        # first filters by status too, because the index of titles begins with it.
        shown = queryset.filter(status__in=SHOWN, title__startswith=term).order_by()
        ids = list(shown.values_list("pk", flat=True)[: self.list_per_page])
        has_more = len(ids) == self.list_per_page
        if has_more and request.method == "GET":
            text = MANY.format(count=self.list_per_page)
            self.message_user(request, text, messages.WARNING)
        return self.get_queryset(request).filter(pk__in=ids), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Photo | None = None
    ) -> bool:
        # Reviewers reject photos: a rejection deletes the files and notifies the owner.
        return False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("secure_django_photos.review_photo")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": _("Photos"), **(extra_context or {})}
        response = super().changelist_view(request, context)
        if request.method == "GET":
            self.warn_of_overdue(request)
        return response

    def warn_of_overdue(self, request: HttpRequest) -> None:
        overdue = get_moderation_backend().overdue(Photo.objects.used()).order_by()
        count = overdue[: FirstThousand.LIMIT].count()
        if count:
            self.message_user(request, OVERDUE.format(count=count), messages.WARNING)

    @admin.display(description=_("uploaded"))
    def waiting(self, photo: Photo) -> str:
        longest_wait = timedelta(hours=settings.MODERATION_STUCK_HOURS)
        is_late = timezone.now() - photo.created_at > longest_wait
        date = localize(timezone.localtime(photo.created_at))
        if is_late and photo.status in WAITING:
            return gettext("{date}, waits too long").format(date=date)
        return date

    @admin.display(description=_("photo"))
    def preview(self, photo: Photo) -> str:
        return describe_image(photo)

    @admin.display(description=_("title and owner"))
    def details(self, photo: Photo) -> str:
        owner = staff_label(photo.owner) if photo.owner else _("deleted account")
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
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST" and not self.has_review_permission(request):
            raise PermissionDenied
        photo = self.get_object(request, object_id)
        if not photo:
            self.message_user(request, explain_missing(object_id), messages.WARNING)
            return redirect("admin:secure_django_photos_photo_changelist")
        following = next_waiting(photo)
        form = read_form(request)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            return self.review_one(request, photo, following, "rejected", reason)
        if "approve" in request.POST:
            return self.review_one(request, photo, following, "approved")
        return self.render_page(
            request,
            "change_form",
            title=photo,
            photo=photo,
            page_on_site=self.find_page(request, photo),
            form=form,
            following=following,
        )

    def is_on_site(self, request: HttpRequest, obj: Photo) -> bool:
        return bool(self.find_page(request, obj))

    def find_page(self, request: HttpRequest, photo: Photo) -> str:
        """Return the URL of the page of what the photo belongs to.

        It is empty if the reviewer may not see that page, as the admin of the model
        says.
        """
        if not photo.has_files:
            return ""
        instance = next(iter(purpose_of(photo).objects(photo)[:1]), None)
        if instance is None:
            return ""
        if instance == photo:  # a page that shows the photo alone
            is_shown = photo.is_visible_to(request.user)
        else:
            model_admin = admin_of(self.admin_site, type(instance))
            is_shown = model_admin and model_admin.is_on_site(request, instance)
        return photo.get_absolute_url() if is_shown else ""

    def review_one(
        self,
        request: HttpRequest,
        photo: Photo,
        following: Photo | None,
        result: str,
        reason: str = "",
    ) -> HttpResponse:
        """Decide on a photo, and go to the following one."""
        shown = self.get_queryset(request).filter(pk=photo.pk)
        keys = [str(photo.pk)]
        if not self.review_photos(request, shown, result, reason, keys):
            return redirect(request.path)
        if following:
            return redirect("admin:secure_django_photos_photo_change", following.pk)
        self.message_user(request, _("No other photo waits for review."))
        return redirect("admin:secure_django_photos_photo_changelist")

    def render_page(
        self, request: HttpRequest, template: str, **context: Any
    ) -> HttpResponse:
        context |= self.admin_site.each_context(request)
        return TemplateResponse(
            request, f"admin/secure_django_photos/photo/{template}.html", context
        )

    @admin.action(description=_("Approve selected photos"), permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        self.review_photos(request, queryset, "approved")

    @admin.action(description=_("Reject selected photos…"), permissions=["review"])
    def reject(
        self, request: HttpRequest, queryset: QuerySet[Photo]
    ) -> HttpResponse | None:
        form = read_form(request)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            self.review_photos(request, queryset, "rejected", reason)
            return None
        return self.render_page(
            request, "reject", title=_("Reject photos"), photos=queryset, form=form
        )

    def review_photos(
        self,
        request: HttpRequest,
        photos: QuerySet[Photo],
        result: str,
        reason: str = "",
        keys: Sequence[str] = (),
    ) -> bool:
        """Decide on the photos whose status is still the one on the reviewer's page.

        Report the number of the others. Return whether there are none.
        """
        # Photos that another reviewer has decided are selected, but no longer in the
        # queryset of the queue.
        selected: set[Any] = set(keys or request.POST.getlist(ACTION_CHECKBOX_NAME))
        reviewed: set[Any] = set()
        for photo in photos[: self.list_per_page]:
            shown = request.POST.get(f"status-{photo.pk}", photo.status)
            if review_photo(photo, cast(User, request.user), result, reason, shown):
                # By its id, and without the reason: the texts of a photo are deleted
                # with it, but the admin's log entry stays.
                label = str(Verdict.Result(result).label)
                self.log_change(request, Photo(pk=photo.pk), label)
                reviewed.add(str(photo.pk))
        decided = selected & reviewed
        unchanged = selected - reviewed
        if decided:
            text = DONE[result].format(count=len(decided))
            self.message_user(request, text, messages.SUCCESS)
        for text in explain_unchanged(unchanged):
            self.message_user(request, text, messages.WARNING)
        return not unchanged


def read_id(term: str) -> UUID:
    """Return the id of a photo, which may be the end of a URL, or raise ValueError."""
    return UUID(term.rstrip("/").rpartition("/")[2])


def read_form(request: HttpRequest) -> RejectForm:
    return RejectForm(request.POST if "reason" in request.POST else None)


def next_waiting(photo: Photo) -> Photo | None:
    """Return the next photo that waits, or the first one after the last."""
    waiting = Photo.objects.waiting().exclude(pk=photo.pk)
    later = waiting.filter(created_at__gt=photo.created_at)
    return later.first() or waiting.first()


def explain_missing(photo_id: str) -> str:
    """Say why there is no page of a photo."""
    with suppress(ValidationError):  # the text is no id
        if Photo.objects.not_deleted().unused().filter(pk=photo_id).exists():
            return str(LEFT_ONE)
    return gettext("This photo was deleted.")


def explain_unchanged(ids: set[Any]) -> Iterator[str]:
    """Yield how many photos were left unchanged, for each reason."""
    unused = Photo.objects.not_deleted().unused().filter(pk__in=ids)
    left = {str(pk) for pk in unused.values_list("pk", flat=True)}
    if left:
        yield LEFT.format(count=len(left))
    others = ids - left
    if not others:
        return
    deciders = Verdict.objects.filter(photo__in=others).values("decided_by")
    reviewers = User.objects.filter(pk__in=deciders)
    names = ", ".join(sorted(map(staff_label, reviewers)))
    text = DECIDED if names else CHANGED
    yield text.format(count=len(others), names=names)
