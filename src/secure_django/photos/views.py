"""The files of photos."""

import logging
from contextlib import suppress
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ObjectDoesNotExist
from django.core.files.storage import default_storage
from django.db.models import Case, Model, Q, QuerySet, When
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_safe

from secure_django.logging import log_event
from secure_django.photos.images import VARIANTS
from secure_django.photos.models import Photo, PhotoQuerySet, Status
from secure_django.photos.purposes import PURPOSES, purpose_of

__all__ = ["file", "visible_object", "visible_photo"]

logger = logging.getLogger(__name__)


@login_not_required
@require_safe
# If a browser ever took the file for a page, that page could do nothing. The stubs know
# only lists.
@csp_override({"default-src": [CSP.NONE], "sandbox": True})  # type: ignore[dict-item]
def file(request: HttpRequest, photo_id: UUID, variant: str) -> HttpResponseBase:
    """Serve a file to visitors who may see the photo.

    A file that everyone may see needs no session.
    """
    photo = visible_photo(request, photo_id, photos_with_use())
    if variant not in VARIANTS:
        raise Http404
    headers = {"Cache-Control": "no-store"}
    if settings.BUCKET_URL:
        # The type of an image, so that SessionTimeoutMiddleware writes no session.
        url = default_storage.url(photo.path(variant))
        return HttpResponseRedirect(url, content_type="image/jpeg", headers=headers)
    if photo.status == Status.APPROVED and purpose_of(photo).is_public:
        # A file never changes. A browser that has it asks whether it may still show it.
        headers = {
            "Cache-Control": "private, max-age=600",
            "ETag": f'"{photo.id}-{variant}"',
        }
        full = HttpResponse(headers=headers)
        answer = get_conditional_response(request, headers["ETag"], response=full)
        if answer and answer is not full:
            return answer
    try:
        content = photo.open_file(variant)
    except FileNotFoundError:
        if Photo.objects.filter(pk=photo_id, has_files=True).exists():
            logger.error("the file of a photo is missing or not whole: %s", photo_id)
        raise Http404 from None
    return FileResponse(
        content,
        content_type="image/jpeg",
        filename=f"{photo.id}-{variant}.jpg",
        headers=headers,
    )


@cache
def photos_with_use() -> PhotoQuerySet:
    """Return photos with `is_used`, for Photo.is_visible_to.

    To build this query takes longer than to run it: each process builds it once.
    """
    # Not as `then`: Django takes a condition that is always true there for the case's.
    cases = [
        When(Q(purpose=purpose.name) & ~purpose.unused(), then=True)
        for purpose in PURPOSES.values()
        if purpose.is_public
    ]
    photos = Photo.objects.defer("original_name")
    return photos.annotate(is_used=Case(*cases, default=False))


def visible_photo(request: HttpRequest, photo_id: UUID, photos: PhotoQuerySet) -> Photo:
    """Return the photo, or raise Http404 if hidden: guessed ids reveal nothing."""
    with suppress(Photo.DoesNotExist):
        photo = photos.get(pk=photo_id)
        if photo.is_visible_to(request.user):
            return photo
    raise hidden(request)


def visible_object[M: Model](
    request: HttpRequest, objects: QuerySet[M], field: str, key: Any
) -> M:
    """Return the object if its PhotoField's photo is visible, or raise Http404."""
    with suppress(ObjectDoesNotExist):
        instance = objects.get(pk=key)
        photo: Photo | None = getattr(instance, field)
        if photo and photo.is_visible_to(request.user, [instance]):
            return instance
    raise hidden(request)


def hidden(request: HttpRequest) -> Http404:
    """Log a request for what is hidden or missing, and return the error to raise."""
    # Read the user in each case: otherwise, the headers would distinguish a hidden
    # photo from a missing one.
    log_event("authz_fail", request, level=logging.WARNING, user=request.user.pk)
    return Http404()
