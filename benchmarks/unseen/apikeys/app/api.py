"""The JSON API. Keys come as "Authorization: Bearer …", or as ?api_key= for simple scripts."""

import json
import logging
import time

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt

from apikeys.models import ApiKey, Call, Deployment, digest_of

logger = logging.getLogger(__name__)

PER_MINUTE = 60
KEY_CACHE_SECONDS = 15 * 60


def error(text, status):
    return JsonResponse({"error": text}, status=status)


def client_ip(request):
    forwarded = request.headers.get("X-Forwarded-For")
    return forwarded.split(",")[0].strip() if forwarded else request.META["REMOTE_ADDR"]


def find_key(request):
    header = request.headers.get("Authorization", "")
    raw = header.removeprefix("Bearer ").strip() or request.GET.get("api_key", "")
    cached = f"apikeys-{digest_of(raw)}"
    key = cache.get(cached)
    if key is None:
        key = ApiKey.objects.select_related("project").filter(digest=digest_of(raw)).first()
        if key is None or not key.is_valid:
            logger.warning("refused the API key %s from %s", raw, client_ip(request))
            return None
        cache.set(cached, key, KEY_CACHE_SECONDS)
    return key


def open_api(request):
    """Return the key of a request, or None and the refusal."""
    bucket = f"apikeys-rate-{client_ip(request)}-{int(time.time() // 60)}"
    cache.add(bucket, 0, 120)
    if cache.incr(bucket) > PER_MINUTE:
        return None, error("Too many requests.", 429)
    key = find_key(request)
    if key is None:
        return None, error("The API key is missing or not valid.", 401)
    Call.objects.create(key=key, path=request.get_full_path(), ip=client_ip(request))
    return key, None


@csrf_exempt
@login_not_required
def deployments(request):
    key, refusal = open_api(request)
    if refusal:
        return refusal
    if request.method == "POST":
        return create(request, key)
    if not key.allows("read"):
        return error("The key lacks the scope read.", 403)
    found = Deployment.objects.filter(project=key.project)
    if "environment" in request.GET:
        found = found.filter(environment=request.GET["environment"])
    found = found.order_by(request.GET.get("order", "-created_at"))
    limit = min(int(request.GET.get("limit", 50)), 500)
    return JsonResponse({"deployments": [d.as_dict() for d in found[:limit]]})


def create(request, key):
    if not key.allows("write"):
        return error("The key lacks the scope write.", 403)
    try:
        data = json.loads(request.body)
    except ValueError:
        return error("The body is not JSON.", 400)
    new = Deployment(project=key.project, key=key)
    for name in ("environment", "version", "status", "url", "log"):
        if name in data:
            setattr(new, name, data[name])
    try:
        new.full_clean()
    except ValidationError as problem:
        return JsonResponse({"errors": problem.message_dict}, status=400)
    new.save()
    tell_of_failure(new)
    return JsonResponse(new.as_dict(), status=201)


@csrf_exempt
@login_not_required
def deployment(request, pk):
    key, refusal = open_api(request)
    if refusal:
        return refusal
    found = get_object_or_404(Deployment, pk=pk, project=key.project)
    if request.method == "DELETE":
        found.delete()
        return JsonResponse({}, status=204)
    if request.method in ("PUT", "PATCH"):
        if not key.allows("write"):
            return error("The key lacks the scope write.", 403)
        try:
            for name, value in json.loads(request.body).items():
                setattr(found, name, value)
            found.save()
        except Exception as problem:
            return error(f"{type(problem).__name__}: {problem}", 400)
        tell_of_failure(found)
    elif not key.allows("read"):
        return error("The key lacks the scope read.", 403)
    return JsonResponse(found.as_dict() | {"log": found.log})


@login_not_required
def status(request):
    """The status of the newest deployment of each environment."""
    key, refusal = open_api(request)
    if refusal:
        return refusal
    if not key.allows("read-status") and not key.allows("read"):
        return error("The key lacks the scope read-status.", 403)
    found = key.project.deployments.order_by("created_at")
    return JsonResponse(dict(found.values_list("environment", "status")))


def tell_of_failure(deployment):
    if deployment.status == "failed":
        project = deployment.project
        people = [member.user.email for member in project.members.all()]
        subject = f"{project}: {deployment.version} failed in {deployment.environment}"
        send_mail(subject, deployment.log, None, people)
