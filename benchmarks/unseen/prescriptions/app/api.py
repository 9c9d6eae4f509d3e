"""The endpoints of the mobile app."""

import json

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from prescriptions.models import AppToken, Prescription, Repeat


def user_of(request):
    key = request.headers.get("X-Token") or request.GET.get("token")
    return get_object_or_404(AppToken.objects.select_related("user"), key=key).user


@csrf_exempt
@login_not_required
@require_POST
def login(request):
    data = json.loads(request.body)
    user = get_user_model().objects.filter(email=data["email"].lower()).first()
    if not user or not user.check_password(data["password"]):
        return JsonResponse({"error": "Wrong email or password."}, status=403)
    token = AppToken.objects.create(user=user)
    return JsonResponse({"token": token.key})


@login_not_required
def prescriptions(request):
    own = Prescription.objects.filter(patient__user=user_of(request))
    fields = ("id", "medicine", "dosage", "repeats_left", "valid_until")
    return JsonResponse({"prescriptions": list(own.values(*fields))})


@csrf_exempt
@login_not_required
def repeats(request):
    user = user_of(request)
    if request.method == "POST":
        data = json.loads(request.body)
        own = Prescription.objects.filter(patient__user=user)
        prescription = get_object_or_404(own, pk=data["prescription"])
        repeat = Repeat.objects.create(
            prescription=prescription,
            pharmacy_id=data["pharmacy"],
            packs=data.get("packs", 1),
            comment=data.get("comment", ""),
        )
        return JsonResponse({"id": repeat.pk}, status=201)
    own = Repeat.objects.filter(prescription__patient__user=user)
    fields = ("id", "prescription__medicine", "status", "code", "answer", "created_at")
    return JsonResponse({"repeats": list(own.values(*fields)[:100])})
