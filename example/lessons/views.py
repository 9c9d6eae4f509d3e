"""Pages that show users only what is their own."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from secure_django.login.http import UserRequest
from secure_django.photos.forms import render_form
from secure_django.ratelimit import rate_limit
from secure_django.web.lists import list_page

from lessons.forms import LessonForm
from lessons.models import Lesson

ORDER = ["title"]


def own(request: UserRequest) -> QuerySet[Lesson]:
    """Return what belongs to the user.

    Every view searches here, so that other users' objects are not found.
    """
    return Lesson.objects.filter(owner=request.user)


@require_safe
def index(request: UserRequest) -> HttpResponse:
    objects = own(request).select_related("course")
    context = list_page(objects, request.GET, search=["title"], order=ORDER)
    return render(request, "lessons/index.html", context)


@require_safe
def detail(request: UserRequest, pk: int) -> HttpResponse:
    return render(
        request,
        "lessons/detail.html",
        {"object": get_object_or_404(own(request), pk=pk)},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    return show_form(request, Lesson(owner=request.user))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    return show_form(request, get_object_or_404(own(request), pk=pk))


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, pk: int) -> HttpResponse:
    instance = get_object_or_404(own(request), pk=pk)
    if request.method != "POST":
        return render(request, "secure_django/delete.html", {"object": instance})
    instance.delete()
    messages.success(request, _("Deleted."))
    return redirect("lessons:index")


def show_form(request: UserRequest, instance: Lesson) -> HttpResponse:
    form = LessonForm(
        request.POST or None,
        request.FILES or None,
        instance=instance,
        owner=request.user,
    )
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect(instance)
    return render_form(request, "lessons/form.html", form)
