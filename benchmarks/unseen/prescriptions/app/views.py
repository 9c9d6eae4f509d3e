import logging
import mimetypes

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.core.mail import send_mail
from django.db import transaction
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import CreateView, ListView, UpdateView
from secure_django.csv import csv_response

from prescriptions.forms import AnswerForm, PatientForm, RepeatForm, ScanForm
from prescriptions.models import Doctor, Patient, Prescription, Repeat

logger = logging.getLogger(__name__)

DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Prescription</title></head>
<body>
<h1>Prescription for {p.patient}</h1>
<p>Born {p.patient.birth_date}, insurance number {p.patient.insurance_number}</p>
<p><strong>{p.medicine}</strong>, {r.packs} packs, {p.dosage}</p>
<p>Comment of the patient: {r.comment}</p>
<p>{p.doctor}, {r.decided_at}</p>
<form method="post" action="{url}"><button>Mark as dispensed</button></form>
</body></html>
"""


def doctor_of(request):
    doctor = Doctor.objects.filter(user=request.user).first()
    if doctor is None:
        raise PermissionDenied
    return doctor


class MyPrescriptions(ListView):
    template_name = "prescriptions/index.html"
    context_object_name = "prescriptions"
    paginate_by = 30

    def get_queryset(self):
        return Prescription.objects.filter(patient__user=self.request.user)


def profile(request):
    patient = Patient.objects.filter(user=request.user).first()
    form = PatientForm(request.POST or None, instance=patient)
    if form.is_valid():
        form.instance.user = request.user
        form.save()
        messages.success(request, "Your data was saved.")
        return redirect("prescriptions:index")
    return render(request, "prescriptions/form.html", {"form": form})


class Ask(CreateView):
    form_class = RepeatForm
    template_name = "prescriptions/form.html"

    def get_form_kwargs(self):
        patient = get_object_or_404(Patient, user=self.request.user)
        return super().get_form_kwargs() | {"patient": patient}

    def form_valid(self, form):
        response = super().form_valid(form)
        repeat = self.object
        send_mail(
            f"{repeat.prescription.patient} asks for {repeat.prescription.medicine}",
            self.request.build_absolute_uri(repeat.get_absolute_url()),
            None,
            [repeat.prescription.doctor.user.email],
        )
        return response


@require_safe
def repeat(request, pk):
    found = get_object_or_404(
        Repeat.objects.select_related("prescription__patient", "pharmacy"), pk=pk
    )
    prescription = found.prescription
    is_doctor = prescription.doctor.user_id == request.user.pk
    if not is_doctor and prescription.patient.user_id != request.user.pk:
        raise PermissionDenied
    context = {"repeat": found, "is_doctor": is_doctor, "form": AnswerForm()}
    return render(request, "prescriptions/repeat.html", context)


class Inbox(ListView):
    template_name = "prescriptions/inbox.html"
    context_object_name = "repeats"
    paginate_by = 30

    def get_queryset(self):
        asked = Repeat.objects.filter(prescription__doctor=doctor_of(self.request))
        asked = asked.filter(status=Repeat.Status.ASKED)
        return asked.select_related("prescription__patient")


@require_POST
def approve(request, pk):
    doctor = doctor_of(request)
    repeat = get_object_or_404(Repeat, pk=pk)
    prescription = repeat.prescription
    prescription.repeats_left -= 1
    prescription.save()
    repeat.status = Repeat.Status.APPROVED
    repeat.answer = request.POST.get("answer", "")
    repeat.decided_at = timezone.now()
    repeat.save()
    path = reverse("prescriptions:document", args=[repeat.code])
    url = request.build_absolute_uri(path)
    patient = prescription.patient
    logger.info("%s approved %s for %s: %s", doctor, prescription, patient, url)
    send_mail(
        f"Prescription: {patient}, {prescription.medicine}",
        f"{patient}, born {patient.birth_date}\n{repeat.answer}\n\n{url}",
        None,
        [repeat.pharmacy.user.email, patient.user.email],
    )
    return redirect("prescriptions:inbox")


@require_POST
def decline(request, pk):
    form = AnswerForm(request.POST)
    doctor = doctor_of(request)
    with transaction.atomic():
        own = Repeat.objects.select_for_update().filter(prescription__doctor=doctor)
        repeat = get_object_or_404(own, pk=pk)
        if repeat.status != Repeat.Status.ASKED or not form.is_valid():
            messages.error(request, "This request can no longer be declined.")
            return redirect(repeat)
        repeat.status = Repeat.Status.DECLINED
        repeat.answer = form.cleaned_data["answer"]
        repeat.decided_at = timezone.now()
        repeat.save(update_fields=["status", "answer", "decided_at"])
        send_mail(
            "About your request",
            "Your doctor has answered. Please log in to read the answer.",
            None,
            [repeat.prescription.patient.user.email],
        )
    return redirect("prescriptions:inbox")


@require_safe
def history(request):
    repeats = Repeat.objects.select_related("prescription__patient", "pharmacy")
    patient = request.GET.get("patient")
    if patient:
        repeats = repeats.filter(prescription__patient_id=patient)
    elif hasattr(request.user, "prescriber"):
        repeats = repeats.filter(prescription__doctor=request.user.prescriber)
    else:
        repeats = repeats.filter(prescription__patient__user=request.user)
    return render(request, "prescriptions/history.html", {"repeats": repeats})


@require_safe
def history_csv(request):
    own = Repeat.objects.filter(prescription__doctor=doctor_of(request))
    rows = own.values_list(
        "created_at",
        "prescription__patient__full_name",
        "prescription__medicine",
        "packs",
        "status",
    )
    header = ("date", "patient", "medicine", "packs", "status")
    return csv_response("history", [header, *rows[:5000]])


@require_safe
def search(request):
    doctor = doctor_of(request)
    q = request.GET.get("q", "").strip()
    found = Prescription.objects.none()
    if q:
        logger.info("%s searched for %s", request.user.email, q)
        found = Prescription.objects.filter(doctor=doctor).select_related("patient")
        found = found.extra(
            where=[
                f"(prescriptions_patient.full_name LIKE '%%{q}%%'"
                f" OR prescriptions_prescription.medicine LIKE '%%{q}%%')"
            ]
        )
    return render(request, "prescriptions/search.html", {"found": found, "q": q})


class ScanUpload(UpdateView):
    form_class = ScanForm
    template_name = "prescriptions/form.html"
    success_url = reverse_lazy("prescriptions:index")

    def get_queryset(self):
        return Prescription.objects.filter(patient__user=self.request.user)


@require_safe
def scan(request, name):
    content_type, _ = mimetypes.guess_type(name)
    return FileResponse(default_storage.open(name), content_type=content_type)


@login_not_required
@require_safe
def document(request, code):
    repeat = get_object_or_404(Repeat, code=code)
    url = reverse("prescriptions:dispense", args=[code])
    html = DOCUMENT.format(r=repeat, p=repeat.prescription, url=url)
    return HttpResponse(html, headers={"Cache-Control": "public, max-age=86400"})


@csrf_exempt
@login_not_required
@require_POST
def dispense(request, code):
    repeat = get_object_or_404(Repeat.objects.select_related("prescription"), code=code)
    repeat.status = Repeat.Status.DISPENSED
    repeat.save(update_fields=["status"])
    patient = repeat.prescription.patient.user
    send_mail("Ready", f"{repeat.prescription} is ready.", None, [patient.email])
    return HttpResponse("Thank you. The patient was told.")
