import json
from typing import Any

from django.core.mail import send_mail
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.ratelimit import rate_limit
from portal.forms import DoctorForm, PatientForm, VisitForm
from portal.models import Doctor, Patient, Visit
from secure_django.login.http import UserRequest


def own(request: UserRequest) -> QuerySet[Visit]:
    """Return the visits of the user, a doctor."""
    return Visit.objects.filter(doctor__user=request.user)


def readable(request: UserRequest) -> QuerySet[Visit]:
    """Return the visits of the user, a doctor or a patient."""
    return Visit.objects.filter(
        Q(doctor__user=request.user) | Q(patient__user=request.user)
    )


@require_safe
def index(request: UserRequest) -> HttpResponse:
    found = readable(request).select_related("doctor", "patient")
    visits = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "portal/index.html", {"visits": visits})


@require_safe
def detail(request: UserRequest, pk: int) -> HttpResponse:
    visit = get_object_or_404(readable(request), pk=pk)
    return render(request, "portal/visit.html", {"visit": visit})


def patients_of(request: UserRequest) -> QuerySet[Patient]:
    """Return the patients of the user, a doctor."""
    return Patient.objects.filter(doctor__user=request.user)


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    doctor = get_object_or_404(Doctor, user=request.user)
    form = VisitForm(request.POST or None, instance=Visit(doctor=doctor))
    patient: Any = form.fields["patient"]
    patient.queryset = patients_of(request)
    if form.is_valid():
        visit = form.save()
        send_mail(
            f"Your visit to {visit.doctor}",
            f"Dear {visit.patient}, your diagnosis: {visit.diagnosis}",
            None,
            [visit.patient.user.email],
        )
        return redirect(visit)
    return render(request, "portal/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    visit = get_object_or_404(own(request), pk=pk)
    form = VisitForm(request.POST or None, instance=visit)
    patient: Any = form.fields["patient"]
    patient.queryset = patients_of(request)
    if form.is_valid():
        return redirect(form.save())
    return render(request, "portal/form.html", {"form": form})


@require_POST
def delete(request: UserRequest, pk: int) -> HttpResponse:
    get_object_or_404(own(request), pk=pk).delete()
    return redirect("portal:index")


@require_http_methods(["GET", "HEAD", "PUT"])
def reply(request: UserRequest, pk: int) -> HttpResponse:
    if request.method == "PUT":
        visit = get_object_or_404(readable(request), pk=pk)
        try:
            visit.reply = json.loads(request.body or "{}").get("reply", "")
        except (ValueError, AttributeError):
            return JsonResponse({"error": "no JSON"}, status=400)
        visit.save()
    else:
        visit = get_object_or_404(readable(request), pk=pk)
    return JsonResponse({"reply": visit.reply})


@require_safe
def history(request: UserRequest) -> JsonResponse:
    number = request.GET.get("patient", "")
    if not number.isdecimal():
        raise Http404
    patient = get_object_or_404(patients_of(request), pk=number)
    visits = patient.visits.values("created_at", "diagnosis", "private_note")
    return JsonResponse({"patient": patient.name, "visits": list(visits)})


@require_safe
def patients(request: UserRequest) -> HttpResponse:
    found = patients_of(request).filter(name__icontains=request.GET.get("q", ""))
    found = found.select_related("doctor").prefetch_related("visits").order_by("pk")
    patients = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "portal/patients.html", {"patients": patients})


@require_http_methods(["GET", "HEAD", "POST"])
def patient_detail(request: UserRequest, patient_pk: int) -> HttpResponse:
    may_read = Q(user=request.user) | Q(doctor__user=request.user)
    patient = get_object_or_404(Patient, may_read, pk=patient_pk)
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def register_doctor(request: UserRequest) -> HttpResponse:
    doctor = Doctor.objects.filter(user=request.user).first()
    doctor = doctor or Doctor(user=request.user)
    form = DoctorForm(request.POST or None, instance=doctor)
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def register_patient(request: UserRequest) -> HttpResponse:
    patient = Patient.objects.filter(user=request.user).first()
    patient = patient or Patient(user=request.user)
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})
