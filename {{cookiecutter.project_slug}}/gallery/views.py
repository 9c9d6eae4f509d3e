"""The gallery: public photos, and the pages where owners upload and delete theirs."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from secure_django.login.http import UserRequest
from secure_django.photos.forms import render_form
from secure_django.photos.services import delete_photo
from secure_django.photos.views import visible_object
from secure_django.web.caching import microcache
from secure_django.web.paging import get_neighbors, get_page

from gallery.forms import UploadForm
from gallery.models import Picture, PictureQuerySet


@login_not_required
@require_safe
@microcache
def index(request: HttpRequest) -> HttpResponse:
    page = get_page(Picture.objects.published().with_photos(), request.GET)
    return render(request, "gallery/index.html", {"page": page})


def own(request: UserRequest) -> PictureQuerySet:
    return Picture.objects.filter(owner=request.user).with_photos()


@require_safe
def mine(request: UserRequest) -> HttpResponse:
    page = get_page(own(request), request.GET)
    return render(request, "gallery/mine.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest) -> HttpResponse:
    form = UploadForm(
        request.POST or None,
        request.FILES or None,
        instance=Picture(owner=request.user),
        owner=request.user,
    )
    if form.is_valid():
        form.save()
        messages.success(
            request,
            _("Your photo was uploaded. It will be published once it is approved."),
        )
        return redirect("gallery:mine")
    return render_form(request, "gallery/upload.html", form)


@login_not_required
@require_safe
@microcache
def photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    picture = visible_object(request, Picture.objects.with_photos(), "photo", pk)
    context = {"picture": picture, "may_delete": picture.owner_id == request.user.pk}
    neighbors = get_neighbors(Picture.objects.published(), picture)
    return render(request, "gallery/photo.html", context | neighbors)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, pk: UUID) -> HttpResponse:
    picture = get_object_or_404(own(request), pk=pk)
    if request.method != "POST":
        context = {"object": picture, "back": reverse("gallery:mine")}
        return render(request, "secure_django/delete.html", context)
    with transaction.atomic():
        picture.delete()
        if picture.photo:
            # At once. The worker would find it later.
            delete_photo(picture.photo)
    messages.success(request, _("The photo was deleted."))
    return redirect("gallery:mine")
