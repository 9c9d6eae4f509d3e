"""The catalog: what visitors see of all courses."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from secure_django.web.lists import list_page

from courses.models import Course

# With what the pages show of a teacher.
COURSES = Course.objects.select_related("cover", "owner__picture")


@login_not_required
@require_safe
def catalog(request: HttpRequest) -> HttpResponse:
    context = list_page(
        COURSES.all(), request.GET, search=["title"], order=["start", "price"]
    )
    return render(request, "courses/catalog.html", context)


@login_not_required
@require_safe
def course(request: HttpRequest, pk: int) -> HttpResponse:
    context = {"object": get_object_or_404(COURSES, pk=pk)}
    return render(request, "courses/course.html", context)
