import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tasks.models import ApiKey, Project, Task
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
                return JsonResponse({"error": "no JSON"}, status=400)
            if view.__name__ != "log_in" and not request.user.is_authenticated:
                response: HttpResponse = JsonResponse({"error": "log in"}, status=401)
            else:
                response = view(request, *args, **kwargs)
            response["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
            response["Access-Control-Allow-Credentials"] = "true"
            return response

        return wrapper

    return decorate


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
def tasks(request: Any) -> HttpResponse:
    if request.method == "POST":
        task = Task(owner=request.user)
        for name, value in request.data.items():
            setattr(task, name, value)
        task.save()
        return JsonResponse(task.to_dict(), status=201)
    found = Task.objects.filter(owner=request.user)
    found = found[: int(request.GET.get("limit", 1000))]
    return JsonResponse({"tasks": [task.to_dict() for task in found]})


@api("GET", "PUT", "PATCH", "DELETE")
def task_detail(request: Any, pk: int) -> HttpResponse:
    task = get_object_or_404(Task, pk=pk)
    if request.method == "GET":
        if task.owner != request.user:
            return JsonResponse({"error": "not found"}, status=404)
        return JsonResponse(task.to_dict())
    if request.method == "DELETE":
        task.delete()
        return JsonResponse({"deleted": True})
    if request.method == "PUT":
        task.title = request.data.get("title", "")
        task.text = request.data.get("text", "")
    else:
        for name, value in request.data.items():
            setattr(task, name, value)
    task.save()
    return JsonResponse(task.to_dict())


@api("POST")
def bulk(request: Any) -> HttpResponse:
    made = [
        Task.objects.create(owner=request.user, title=row["title"])
        for row in request.data.get("tasks", [])
    ]
    return JsonResponse({"created": len(made)})


@api("GET", "DELETE")
def project_tasks(request: Any, project_pk: int) -> HttpResponse:
    if request.method == "DELETE":
        get_object_or_404(Project, pk=project_pk, owner=request.user).delete()
        return JsonResponse({"deleted": True})
    found = Task.objects.filter(project_id=project_pk)
    return JsonResponse({"tasks": [task.to_dict() for task in found]})


@api("GET", "PATCH")
def me(request: Any) -> HttpResponse:
    user = request.user
    for name, value in request.data.items():
        setattr(user, name, value)
    if request.method == "PATCH":
        user.save()
    keys = list(user.api_keys.values_list("key", flat=True))
    return JsonResponse({"id": user.pk, "email": user.email, "keys": keys})


@login_not_required
@require_http_methods(["GET"])
def status(request: HttpRequest) -> JsonResponse:
    try:
        task = Task.objects.get(pk=request.GET.get("task", 0))
    except Exception as error:
        return JsonResponse({"error": repr(error)}, status=400)
    return JsonResponse({"title": task.title, "is_done": task.is_done})
