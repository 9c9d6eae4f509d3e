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

from courses.forms import CourseForm
from courses.models import Course
from courses.roles import EditorForm, open_to

ORDER = ["title", "start", "price", "level"]


def own(request: UserRequest) -> QuerySet[Course]:
    """Return what belongs to the user.

    Every view searches here, so that other users' objects are not found.
    """
    return Course.objects.filter(owner=request.user)


@require_safe
def index(request: UserRequest) -> HttpResponse:
    objects = open_to(request, "reader", "editor").select_related("cover")
    context = list_page(objects, request.GET, search=["title"], order=ORDER)
    return render(request, "courses/index.html", context)


@require_safe
def detail(request: UserRequest, pk: int) -> HttpResponse:
    course = get_object_or_404(open_to(request, "reader", "editor"), pk=pk)
    context = {
        "object": course,
        "may_edit": open_to(request, "editor").contains(course),
    }
    return render(request, "courses/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    return show_form(request, Course(owner=request.user))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    return show_form(request, get_object_or_404(open_to(request, "editor"), pk=pk))


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, pk: int) -> HttpResponse:
    instance = get_object_or_404(own(request), pk=pk)
    if request.method != "POST":
        return render(request, "secure_django/delete.html", {"object": instance})
    instance.delete()
    messages.success(request, _("Deleted."))
    return redirect("courses:index")


def show_form(request: UserRequest, instance: Course) -> HttpResponse:
    form_class = CourseForm if instance.owner == request.user else EditorForm
    form = form_class(
        request.POST or None,
        request.FILES or None,
        instance=instance,
        owner=request.user,
    )
    if form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect(instance)
    return render_form(request, "courses/form.html", form)
