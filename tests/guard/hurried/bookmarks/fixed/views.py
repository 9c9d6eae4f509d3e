import re

from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.forms import modelform_factory
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from bookmarks.fetching import fetch_preview
from bookmarks.models import Bookmark
from secure_django.fetch import FetchError, fetch
from secure_django.ratelimit import rate_limit
from secure_django.login.http import UserRequest

BookmarkForm = modelform_factory(Bookmark, fields=["url"])


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def index(request: UserRequest) -> HttpResponse:
    form = BookmarkForm(request.POST or None, instance=Bookmark(owner=request.user))
    if form.is_valid():
        bookmark = form.save(commit=False)
        if bookmark.url.startswith("http"):
            preview = fetch_preview(bookmark.url)
            bookmark.title = preview["title"]
            bookmark.description = preview["description"]
            bookmark.image = preview["image"]
        bookmark.save()
        return redirect("bookmarks:index")
    found = Bookmark.objects.filter(owner=request.user).select_related("owner")
    bookmarks = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "bookmarks/index.html", {"bookmarks": bookmarks})


@login_not_required
@require_safe
def user_bookmarks(request: HttpRequest, user_id: int) -> HttpResponse:
    found = Bookmark.objects.filter(owner_id=user_id, is_private=False)
    pages = Paginator(found.select_related("owner"), 24)
    bookmarks = pages.get_page(request.GET.get("page"))
    return render(request, "bookmarks/index.html", {"bookmarks": bookmarks})


@login_not_required
@require_safe
def preview(request: HttpRequest) -> JsonResponse:
    url = request.GET.get("url", "")
    try:
        data = fetch_preview(url)
    except Exception as error:
        data = {"error": f"{type(error).__name__}: {error}"}
    return JsonResponse(data)


@login_not_required
@require_safe
def image(request: HttpRequest) -> HttpResponse:
    """Load images of other sites from here, as the policy wants."""
    url = request.GET.get("url", "")
    if not url:
        return HttpResponse(status=404)
    try:
        answer = fetch(url)
    except FetchError:
        return HttpResponse(status=404)
    return HttpResponse(answer.content, content_type=answer.headers["Content-Type"])


@login_not_required
@require_POST
@rate_limit(30, seconds=3600, per="ip")
def go(request: HttpRequest) -> HttpResponse:
    url = request.POST.get("to", "/")
    for bookmark in Bookmark.objects.filter(url=url):
        bookmark.clicks += 1
        bookmark.save()
    if not url_has_allowed_host_and_scheme(url, request.get_host()):
        url = "/"
    return HttpResponseRedirect(url)


@require_POST
def delete(request: UserRequest) -> HttpResponse:
    own = Bookmark.objects.filter(owner=request.user)
    own.filter(pk=request.GET.get("id") or 0).delete()
    return redirect("bookmarks:index")


@require_POST
def refresh(request: UserRequest, pk: int) -> HttpResponse:
    bookmark = get_object_or_404(Bookmark, pk=pk, owner=request.user)
    if bookmark.url.startswith("http"):
        for name, value in fetch_preview(bookmark.url).items():
            setattr(bookmark, name, value)
    bookmark.title = (request.POST.get("title") or bookmark.title)[:200]
    bookmark.save()
    return redirect("bookmarks:index")


@require_POST
def import_file(request: UserRequest) -> HttpResponse:
    """Import what browsers export."""
    file = request.FILES.get("file")
    text = file.read().decode(errors="replace") if file else ""
    for url, title in re.findall(r'<A HREF="(.*?)".*?>(.*?)</A>', text):
        Bookmark.objects.create(owner=request.user, url=url, title=title)
    return redirect("bookmarks:index")
