"""The gallery: public photos, and the pages where owners upload and delete theirs."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from secure_django.login.http import UserRequest
from secure_django.photos.forms import render_form
from secure_django.photos.models import Photo, PhotoQuerySet
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.services import delete_photo
from secure_django.photos.views import visible_photo
from secure_django.web.caching import microcache

from gallery.apps import GALLERY
from gallery.forms import UploadForm
from gallery.paging import get_neighbors, get_page


def published() -> PhotoQuerySet:
    return Photo.objects.approved().filter(purpose=GALLERY.name)


@login_not_required
@require_safe
@microcache
def index(request: HttpRequest) -> HttpResponse:
    photos = get_moderation_backend().with_image_urls(published())
    page = get_page(photos, request.GET)
    return render(request, "gallery/index.html", {"page": page})


def own(request: UserRequest) -> PhotoQuerySet:
    return request.user.photos.not_deleted().filter(purpose=GALLERY.name)


@require_safe
def mine(request: UserRequest) -> HttpResponse:
    photos = get_moderation_backend().with_image_urls(own(request))
    page = get_page(photos, request.GET)
    return render(request, "gallery/mine.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None, owner=request.user)
    if form.is_valid() and form.save():
        messages.success(
            request,
            _("Your photo was uploaded. It will be published once it is approved."),
        )
        return redirect("gallery:mine")
    return render_form(request, "gallery/upload.html", form)


@login_not_required
@require_safe
@microcache
def photo(request: HttpRequest, photo_id: UUID) -> HttpResponse:
    photos = Photo.objects.filter(purpose=GALLERY.name).defer("original_name")
    photos = get_moderation_backend().with_image_urls(photos)
    instance = visible_photo(request, photo_id, photos)
    context = {"photo": instance, "may_delete": instance.belongs_to(request.user)}
    neighbors = get_neighbors(published(), instance)
    return render(request, "gallery/photo.html", context | neighbors)


@require_POST
def delete(request: UserRequest, photo_id: UUID) -> HttpResponse:
    delete_photo(get_object_or_404(own(request), pk=photo_id))
    messages.success(request, _("The photo was deleted."))
    return redirect("gallery:mine")
