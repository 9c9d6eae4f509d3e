import json

from django.core.mail import send_mail
from django.db.models import Q, QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from portal.forms import DoctorForm, PatientForm, VisitForm
from portal.models import Doctor, Patient, Visit
from secure_django.login.http import UserRequest


def own(request: UserRequest) -> QuerySet[Visit]:
    """Return the visits of the user, a doctor or a patient."""
    return Visit.objects.filter(
        Q(doctor__user=request.user) | Q(patient__user=request.user)
    )


@require_safe
def index(request: UserRequest) -> HttpResponse:
    return render(request, "portal/index.html", {"visits": own(request)})


@require_safe
def detail(request: UserRequest, pk: int) -> HttpResponse:
    visit = get_object_or_404(own(request), pk=pk)
    return render(request, "portal/visit.html", {"visit": visit})


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: UserRequest) -> HttpResponse:
    form = VisitForm(request.POST or None)
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
        visit = get_object_or_404(Visit, pk=pk)
        visit.reply = json.loads(request.body or "{}").get("reply", "")
        visit.save()
    else:
        visit = get_object_or_404(own(request), pk=pk)
    return JsonResponse({"reply": visit.reply})


@require_safe
def history(request: UserRequest) -> JsonResponse:
    patient = get_object_or_404(Patient, pk=request.GET.get("patient") or 0)
    visits = patient.visits.values("created_at", "diagnosis", "private_note")
    return JsonResponse({"patient": patient.name, "visits": list(visits)})


@require_safe
def patients(request: UserRequest) -> HttpResponse:
    found = Patient.objects.filter(name__icontains=request.GET.get("q", ""))
    return render(request, "portal/patients.html", {"patients": found})


@require_http_methods(["GET", "HEAD", "POST"])
def patient_detail(request: UserRequest, patient_pk: int) -> HttpResponse:
    patient = get_object_or_404(Patient, pk=patient_pk)
    if patient.user != request.user and not hasattr(request.user, "doctor"):
        return HttpResponse(status=404)
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def register_doctor(request: UserRequest) -> HttpResponse:
    form = DoctorForm(request.POST or None, instance=Doctor(user=request.user))
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def register_patient(request: UserRequest) -> HttpResponse:
    form = PatientForm(request.POST or None, instance=Patient(user=request.user))
    if form.is_valid():
        form.save()
        return redirect("portal:index")
    return render(request, "portal/form.html", {"form": form})
