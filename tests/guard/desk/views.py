"""Pairs of views: one that only looks unsafe, and one that is."""

from desk.models import Comment, Folder, Task
from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST


class TaskForm(forms.ModelForm):
    class Meta:
        model = Task
        fields = ("title", "is_urgent")


class ApprovedForm(forms.ModelForm):
    class Meta:
        model = Task
        fields = ("title", "is_approved")


def add_by(form_class: type[forms.ModelForm], request: HttpRequest) -> HttpResponse:
    form = form_class(request.POST or None)
    if form.is_valid():
        folder = Folder.objects.filter(owner=request.user).first()
        form.instance.author = form.instance.helper = request.user
        form.instance.folder = folder or Folder.objects.create(owner=request.user)
        form.save()
        return redirect("/desk/add/")
    return render(request, "desk/form.html", {"form": form})


@login_required
def add(request: HttpRequest) -> HttpResponse:
    return add_by(TaskForm, request)


@login_required
def add_approved(request: HttpRequest) -> HttpResponse:
    return add_by(ApprovedForm, request)


@require_GET
@login_required
def export(request: HttpRequest) -> HttpResponse:
    titles = Task.objects.filter(author=request.user).values_list("title", flat=True)
    response = HttpResponse("\n".join(titles), content_type="text/csv")
    response["Content-Disposition"] = "attachment; filename=tasks.csv"
    return response


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    tasks = Task.objects.filter(author=request.user)
    return render(request, "desk/tasks.html", {"tasks": tasks})


@require_POST
@login_required
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    task = get_object_or_404(Task, pk=pk)
    Comment.objects.create(author=request.user, task=task, text="Well done")
    return redirect("/desk/add/")


@require_POST
@login_required
def comment_and_close(request: HttpRequest, pk: int) -> HttpResponse:
    task = get_object_or_404(Task, pk=pk)
    Comment.objects.create(author=request.user, task=task, text="Well done")
    Task.objects.filter(pk=pk).update(title="closed")
    return redirect("/desk/add/")


def find_public(request: HttpRequest, pk: int) -> Task:
    task = get_object_or_404(Task, pk=pk)
    if task.is_public or task.author == request.user:
        return task
    raise Http404


@require_GET
@login_required
def public(request: HttpRequest, pk: int) -> HttpResponse:
    task = find_public(request, pk)
    return render(request, "desk/tasks.html", {"tasks": [task]})


@require_GET
@login_required
def public_with_author(request: HttpRequest, pk: int) -> HttpResponse:
    task = find_public(request, pk)
    return render(request, "desk/tasks.html", {"tasks": [task], "user": task.author})


@require_GET
@login_required
def of_user(request: HttpRequest, email: str) -> HttpResponse:
    get_object_or_404(User, email=email, pk=request.user.pk)
    return render(request, "desk/tasks.html", {"tasks": []})


@require_GET
@login_required
def helped(request: HttpRequest, pk: int) -> HttpResponse:
    tasks = Task.objects.filter(Q(author=request.user) | Q(helper=request.user))
    task = get_object_or_404(tasks, pk=pk)
    return render(request, "desk/tasks.html", {"tasks": [task]})


@require_GET
@login_required
def broken(request: HttpRequest, pk: int) -> HttpResponse:
    task = Task.objects.get(pk=pk, author=request.user)
    return render(request, "desk/tasks.html", {"tasks": [task]})


class TokenCheck(CsrfViewMiddleware):
    """A check of tokens as a framework makes it for its own views."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


@csrf_exempt
@require_POST
@login_required
def api(request: HttpRequest) -> HttpResponse:
    check = TokenCheck(lambda _: HttpResponse())
    check.process_request(request)
    if check.process_view(request, None, (), {}):
        raise PermissionDenied
    return HttpResponse("ok")


@csrf_exempt
@require_POST
@login_required
def open_api(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")
