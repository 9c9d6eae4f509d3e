from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from albums.forms import AlbumForm, AlbumPhotoForm, GreetingForm, ShareForm
from albums.models import Album, AlbumPhoto
from secure_django.mail.invitations import send_invitation
from secure_django.ratelimit import rate_limit
from secure_django.photos.models import Photo
from secure_django.login.http import UserRequest


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def index(request: UserRequest) -> HttpResponse:
    form = AlbumForm(request.POST or None, instance=Album(owner=request.user))
    if form.is_valid():
        return redirect("albums:detail", form.save().pk)
    found = Album.objects.filter(owner=request.user)
    albums = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "albums/index.html", {"albums": albums, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def detail(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    form = AlbumPhotoForm(request.POST or None, instance=AlbumPhoto(album=album))
    photo: Any = form.fields["photo"]
    photo.queryset = Photo.objects.filter(owner=request.user)
    if form.is_valid():
        form.save()
        return redirect("albums:detail", pk)
    found = album.entries.select_related("photo").order_by("pk")
    entries = Paginator(found, 24).get_page(request.GET.get("page"))
    context = {
        "album": album,
        "entries": entries,
        "form": form,
        "share_form": ShareForm(),
    }
    return render(request, "albums/detail.html", context)


@require_POST
def remove(request: UserRequest, pk: int, entry_pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    get_object_or_404(AlbumPhoto, pk=entry_pk, album=album).delete()
    return redirect("albums:detail", pk)


@require_POST
def caption(request: UserRequest, pk: int, entry_pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    entry = get_object_or_404(AlbumPhoto, pk=entry_pk, album=album)
    entry.caption = request.POST.get("caption", "")[:300]
    entry.save()
    return redirect("albums:detail", pk)


@require_POST
@rate_limit(30, seconds=3600)
def share(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    form = ShareForm(request.POST)
    if form.is_valid():
        album.is_shared = True
        album.save()
        send_invitation(
            request,
            form.cleaned_data["email"],
            "albums/share",
            "albums:shared",
            album.token,
        )
        messages.success(request, "The link was sent.")
    return redirect("albums:detail", pk)


@require_POST
def unshare(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    album.is_shared = False
    album.save()
    messages.success(request, "The album is private again.")
    return redirect("albums:detail", pk)


def valid_albums() -> QuerySet[Album]:
    month = timedelta(days=30)
    return Album.objects.filter(created_at__gt=timezone.now() - month)


@login_not_required
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    album = get_object_or_404(valid_albums(), token=token)
    return render(
        request, "albums/shared.html", {"album": album, "form": GreetingForm()}
    )


@login_not_required
@require_POST
@rate_limit(30, seconds=3600, per="ip")
def greet(request: HttpRequest, token: str) -> HttpResponse:
    album = get_object_or_404(valid_albums(), token=token)
    form = GreetingForm(request.POST)
    form.instance.album = album
    if form.is_valid():
        form.save()
    return redirect("albums:shared", token)
