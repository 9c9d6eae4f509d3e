"""Who reads a course, and who changes it."""

from typing import Any

from django.db.models import Q, QuerySet
from django.forms import modelform_factory
from secure_django.login.http import UserRequest

from courses.forms import CourseForm
from courses.models import Course, Member

# Without the other fields that the owner's form has.
EditorForm: Any = modelform_factory(Course, CourseForm, fields=["title", "text"])


def open_to(request: UserRequest, *roles: str) -> QuerySet[Course]:
    """Return what belongs to the user, or is shared with one of these roles."""
    members = Member.objects.filter(user=request.user, role__in=roles)
    is_shared = Q(pk__in=members.values("course"))
    return Course.objects.filter(Q(owner=request.user) | is_shared)
