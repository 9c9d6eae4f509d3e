from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from albums.forms import AlbumForm, AlbumPhotoForm, GreetingForm, ShareForm
from albums.models import Album, AlbumPhoto
from secure_django.login.http import UserRequest


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: UserRequest) -> HttpResponse:
    form = AlbumForm(request.POST or None, instance=Album(owner=request.user))
    if form.is_valid():
        return redirect("albums:detail", form.save().pk)
    albums = Album.objects.filter(owner=request.user)
    return render(request, "albums/index.html", {"albums": albums, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    form = AlbumPhotoForm(request.POST or None, instance=AlbumPhoto(album=album))
    if form.is_valid():
        form.save()
        return redirect("albums:detail", pk)
    context = {"album": album, "form": form, "share_form": ShareForm()}
    return render(request, "albums/detail.html", context)


@require_POST
def remove(request: UserRequest, pk: int, entry_pk: int) -> HttpResponse:
    get_object_or_404(Album, pk=pk, owner=request.user)
    get_object_or_404(AlbumPhoto, pk=entry_pk).delete()
    return redirect("albums:detail", pk)


@require_POST
def caption(request: UserRequest, pk: int, entry_pk: int) -> HttpResponse:
    get_object_or_404(Album, pk=pk, owner=request.user)
    entry = get_object_or_404(AlbumPhoto, pk=entry_pk)
    entry.caption = request.POST.get("caption", "")
    entry.save()
    return redirect("albums:detail", pk)


@require_POST
def share(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    form = ShareForm(request.POST)
    if form.is_valid():
        album.is_shared = True
        album.save()
        link = request.build_absolute_uri(reverse("albums:shared", args=[album.token]))
        send_mail(
            f"{request.user.email} shares {album.title} with you",
            f"{form.cleaned_data['text']}\n\n{link}",
            None,
            [form.cleaned_data["email"]],
        )
        messages.success(request, "The link was sent.")
    return redirect("albums:detail", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def unshare(request: UserRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk, owner=request.user)
    album.is_shared = False
    album.save()
    messages.success(request, "The album is private again.")
    return redirect("albums:detail", pk)


@login_not_required
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    album = get_object_or_404(Album, token=token)
    album.visits += 1
    album.save()
    return render(
        request, "albums/shared.html", {"album": album, "form": GreetingForm()}
    )


@csrf_exempt
@login_not_required
@require_POST
def greet(request: HttpRequest, token: str) -> HttpResponse:
    album = get_object_or_404(Album, token=token)
    form = GreetingForm(request.POST)
    form.instance.album = album
    if form.is_valid():
        form.save()
    return redirect("albums:shared", token)
