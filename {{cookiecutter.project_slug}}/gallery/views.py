"""The gallery: photos that everyone may see, and the pages where their owners upload and delete them."""

from functools import cache
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.log import log_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.logging import log_event
from core.shared_pages import get_shared, shared_page
from gallery.paging import get_page
from uploads.forms import STATUSES, UploadForm
from uploads.images import retry_after
from uploads.models import Photo, PhotoQuerySet
from uploads.moderation.backends import StaffReviewBackend, get_moderation_backend
from uploads.services import delete_photo
from uploads.views import visible_photo
from users.http import UserRequest


@login_not_required
@require_safe
@shared_page
def index(request: HttpRequest) -> HttpResponse:
    def make() -> str:
        page = get_page(published(get_moderation_backend()), request.GET)
        return render_to_string("gallery/_photos.html", {"page": page}) if page.photos else ""

    # Not in a page that is shared itself, which would be twice as old, and only the first page: queries are endless.
    alone = request.META.get("QUERY_STRING") or not request.COOKIES
    photos = make() if alone else get_shared(request.build_absolute_uri("#photos"), make)
    return render(request, "gallery/index.html", {"photos": photos})


@cache
def published(backend: StaffReviewBackend) -> PhotoQuerySet:
    """Return the photos of the gallery. Their query is made once, without `now()`: that takes longer than to run it."""
    return backend.with_image_urls(Photo.objects.published())


@require_safe
def mine(request: UserRequest) -> HttpResponse:
    page = get_page(get_moderation_backend().with_image_urls(request.user.photos.not_deleted()), request.GET)
    return render(request, "gallery/mine.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest) -> HttpResponse:
    form, status, wait = UploadForm(owner=request.user), 200, 0
    if request.method == "POST":
        data, files = request.POST, request.FILES  # reading finds out whether the upload handler refuses the file
        form = UploadForm(data, files, owner=request.user, refusal=getattr(request, "upload_refusal", None))
        if form.is_valid() and form.save():
            messages.success(request, _("Your photo was uploaded. It will be published once it is approved."))
            return redirect("gallery:mine")
        errors = form.errors.as_data()  # those of the title are not worth an event
        for error in errors.get(NON_FIELD_ERRORS, []) + errors.get("image", []):
            log_event("upload_validation", request, code=error.code)
            status, wait = STATUSES.get(str(error.code), 200), retry_after(error)
    context = {"form": form, "max_bytes": settings.UPLOAD_MAX_BYTES}
    response = render(request, "gallery/upload.html", context, status=status)
    if wait:
        response.headers["Retry-After"] = str(wait)
    if form.has_error(NON_FIELD_ERRORS, "busy"):
        # A busy site is not an error. Without this line, Django would log one for each response 503.
        log_response("Busy: %s", request.path, response=response, request=request, level="info")
    return response


@login_not_required
@require_safe
def photo(request: HttpRequest, photo_id: UUID) -> HttpResponse:
    found = visible_photo(
        request, photo_id, get_moderation_backend().with_image_urls(Photo.objects.defer("original_name"))
    )
    return render(request, "gallery/photo.html", {"photo": found, "may_delete": found.belongs_to(request.user)})


@require_POST
def delete(request: UserRequest, photo_id: UUID) -> HttpResponse:
    delete_photo(get_object_or_404(request.user.photos.not_deleted(), pk=photo_id))
    messages.success(request, _("The photo was deleted."))
    return redirect("gallery:mine")
