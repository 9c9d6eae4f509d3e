import re

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from bookmarks.fetching import fetch_preview, http
from bookmarks.models import Bookmark
from secure_django.login.http import UserRequest


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        url = request.POST.get("url", "")
        bookmark = Bookmark(owner=request.user, url=url)
        if url.startswith("http"):
            preview = fetch_preview(url)
            bookmark.title = preview["title"]
            bookmark.description = preview["description"]
            bookmark.image = preview["image"]
        bookmark.save()
        return redirect("bookmarks:index")
    bookmarks = Bookmark.objects.filter(owner=request.user)
    return render(request, "bookmarks/index.html", {"bookmarks": bookmarks})


@login_not_required
@require_safe
def user_bookmarks(request: HttpRequest, user_id: int) -> HttpResponse:
    bookmarks = Bookmark.objects.filter(owner_id=user_id)
    return render(request, "bookmarks/index.html", {"bookmarks": bookmarks})


@login_not_required
@require_safe
def preview(request: HttpRequest) -> JsonResponse:
    url = request.GET.get("url", "")
    try:
        data = fetch_preview(url)
    except Exception as error:
        data = {"error": f"{type(error).__name__}: {error}"}
    response = JsonResponse(data)
    response["Access-Control-Allow-Origin"] = "*"
    return response


@login_not_required
@require_safe
def image(request: HttpRequest) -> HttpResponse:
    """Load images of other sites from here, as the policy wants."""
    url = request.GET.get("url", "")
    if not url:
        return HttpResponse(status=404)
    response = http.request("GET", url)
    return HttpResponse(
        response.data, content_type=response.headers.get("Content-Type")
    )


@login_not_required
@require_safe
def go(request: HttpRequest) -> HttpResponse:
    url = request.GET.get("to", "/")
    for bookmark in Bookmark.objects.filter(url=url):
        bookmark.clicks += 1
        bookmark.save()
    return redirect(url)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest) -> HttpResponse:
    Bookmark.objects.filter(pk=request.GET.get("id") or 0).delete()
    return redirect("bookmarks:index")


@require_POST
def refresh(request: UserRequest, pk: int) -> HttpResponse:
    bookmark = get_object_or_404(Bookmark, pk=pk)
    if bookmark.url.startswith("http"):
        for name, value in fetch_preview(bookmark.url).items():
            setattr(bookmark, name, value)
    bookmark.title = request.POST.get("title") or bookmark.title
    bookmark.save()
    return redirect("bookmarks:index")


@csrf_exempt
@require_POST
def import_file(request: UserRequest) -> HttpResponse:
    """Import what browsers export."""
    file = request.FILES.get("file")
    text = file.read().decode(errors="replace") if file else ""
    for url, title in re.findall(r'<A HREF="(.*?)".*?>(.*?)</A>', text):
        Bookmark.objects.create(owner=request.user, url=url, title=title)
    return redirect("bookmarks:index")
