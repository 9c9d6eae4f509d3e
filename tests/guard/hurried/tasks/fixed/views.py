import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth import (
    authenticate,  # noqa: TID251  # the app on phones logs in
)
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from secure_django.ratelimit import rate_limit
from tasks.models import ApiKey, Project, Task
from secure_django.login.http import UserRequest
from users.models import User

type View = Callable[..., HttpResponse]


def api(*methods: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @csrf_exempt
        @login_not_required
        @require_http_methods(list(methods))
        @wraps(view)
        def wrapper(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            key = request.headers.get("X-Api-Key") or request.GET.get("key")
            if key:
                found = ApiKey.objects.filter(key=key).first()
                if found:
                    request.user = found.user
            try:
                request.data = json.loads(request.body or b"{}")
            except ValueError:
                request.data = None
            if not isinstance(request.data, dict):
                return JsonResponse({"error": "no JSON"}, status=400)
            if view.__name__ != "log_in" and not request.user.is_authenticated:
                return JsonResponse({"error": "log in"}, status=401)
            return view(request, *args, **kwargs)

        return wrapper

    return decorate


def change(task: Task, data: dict[str, Any]) -> None:
    """Change what a user may set."""
    for name in ("title", "text"):
        if name in data:
            setattr(task, name, str(data[name]))
    if "is_done" in data:
        task.is_done = bool(data["is_done"])
    if isinstance(data.get("priority"), int):
        task.priority = data["priority"]


@api("POST")
def log_in(request: Any) -> HttpResponse:
    email = request.data.get("email", "")
    if not User.objects.filter(email=email).exists():
        return JsonResponse({"error": "There is no such account."}, status=400)
    user = authenticate(
        request, username=email, email=email, password=request.data.get("password")
    )
    if user is None:
        return JsonResponse({"error": "Wrong password."}, status=400)
    key = ApiKey.objects.create(user=user)
    return JsonResponse({"key": key.key})


@api("GET", "POST")
@rate_limit(30, seconds=3600)
def tasks(request: Any) -> HttpResponse:
    if request.method == "POST":
        task = Task(owner=request.user)
        change(task, request.data)
        task.save()
        return JsonResponse(task.to_dict(), status=201)
    found = Task.objects.filter(owner=request.user).select_related("owner", "project")
    limit = request.GET.get("limit", "")
    found = found[: min(int(limit), 100) if limit.isdecimal() else 100]
    return JsonResponse({"tasks": [task.to_dict() for task in found]})


@api("GET", "PUT", "PATCH", "DELETE")
def task_detail(request: Any, pk: int) -> HttpResponse:
    task = get_object_or_404(Task, pk=pk, owner=request.user)
    if request.method == "GET":
        return JsonResponse(task.to_dict())
    if request.method == "DELETE":
        task.delete()
        return JsonResponse({"deleted": True})
    if request.method == "PUT":
        task.title = request.data.get("title", "")
        task.text = request.data.get("text", "")
    else:
        change(task, request.data)
    task.save()
    return JsonResponse(task.to_dict())


@api("POST")
@rate_limit(30, seconds=3600)
def bulk(request: Any) -> HttpResponse:
    try:
        titles = [str(row["title"]) for row in request.data.get("tasks", [])]
    except (TypeError, KeyError):
        return JsonResponse({"error": "no tasks"}, status=400)
    made = [Task.objects.create(owner=request.user, title=title) for title in titles]
    return JsonResponse({"created": len(made)})


@api("GET", "DELETE")
def project_tasks(request: Any, project_pk: int) -> HttpResponse:
    if request.method == "DELETE":
        get_object_or_404(Project, pk=project_pk, owner=request.user).delete()
        return JsonResponse({"deleted": True})
    project = get_object_or_404(Project, pk=project_pk, owner=request.user)
    found = project.tasks.select_related("owner", "project")[:100]
    return JsonResponse({"tasks": [task.to_dict() for task in found]})


@api("GET")
def me(request: Any) -> HttpResponse:
    user = request.user
    keys = list(user.api_keys.values_list("key", flat=True)[:100])
    return JsonResponse({"id": user.pk, "email": user.email, "keys": keys})


@require_http_methods(["GET"])
def status(request: UserRequest) -> JsonResponse:
    try:
        number = request.GET.get("task", 0)
        task = Task.objects.get(pk=number, owner=request.user)
    except Exception as error:
        return JsonResponse({"error": repr(error)}, status=400)
    return JsonResponse({"title": task.title, "is_done": task.is_done})
