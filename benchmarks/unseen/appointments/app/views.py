import logging
from datetime import date, datetime, time, timedelta

from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import ListView, UpdateView

from appointments import ical
from appointments.forms import BookForm, NoteForm, SlotsForm
from appointments.models import Appointment, Doctor, Note, Slot

logger = logging.getLogger(__name__)
User = get_user_model()

CANCEL_HOURS = 24
REMINDER_KEY = "praxis-reminder-2026"


def doctor_of(user):
    doctor = Doctor.objects.filter(user=user).first()
    if not doctor:
        raise PermissionDenied
    return doctor


def inform(appointment, title, extra=""):
    """Tell the patient and the doctor."""
    patient, doctor = appointment.patient, appointment.slot.doctor
    text = f"{patient}\n{appointment.slot}\n{appointment.reason}\n\n{extra}"
    subject = f"{title}: {doctor.specialty}, {appointment.slot}"
    send_mail(subject, text, None, [patient.email, doctor.user.email])


class DoctorList(ListView):
    template_name = "appointments/doctors.html"
    context_object_name = "doctors"
    paginate_by = 30

    def get_queryset(self):
        doctors = Doctor.objects.all()
        specialty = self.request.GET.get("specialty", "").strip()
        if specialty:
            doctors = doctors.filter(specialty__icontains=specialty)
        return doctors


@require_safe
def doctor_page(request, pk):
    doctor = get_object_or_404(Doctor, pk=pk)
    week = request.GET.get("week")
    day = date.fromisoformat(week) if week else timezone.localdate()
    start = timezone.make_aware(datetime.combine(day, time.min))
    week_slots = (max(start, timezone.now()), start + timedelta(days=7))
    slots = doctor.slots.filter(start__range=week_slots, is_blocked=False)
    context = {
        "doctor": doctor,
        "slots": [slot for slot in slots if not slot.is_taken],
        "next_week": day + timedelta(days=7),
        "form": BookForm(),
    }
    return render(request, "appointments/doctor.html", context)


@require_POST
def book(request, pk):
    slot = get_object_or_404(Slot.objects.select_related("doctor__user"), pk=pk)
    form = BookForm(request.POST)
    if slot.is_taken or not form.is_valid():
        messages.error(request, "The slot is taken, or you gave no reason.")
        return redirect(request.META["HTTP_REFERER"])
    form.instance.slot = slot
    form.instance.patient = request.user
    appointment = form.save()
    logger.info("%s booked %s: %s", request.user.email, slot, appointment.reason)
    inform(appointment, "Booked")
    return redirect(appointment)


class MyAppointments(ListView):
    template_name = "appointments/mine.html"
    context_object_name = "appointments"
    paginate_by = 30

    def get_queryset(self):
        own = Appointment.objects.filter(patient=self.request.user)
        return own.select_related("slot__doctor").order_by("-slot__start")


@require_safe
def detail(request, pk):
    appointment = get_object_or_404(
        Appointment.objects.select_related("slot__doctor", "patient"), pk=pk
    )
    is_doctor = appointment.slot.doctor.user_id == request.user.pk
    if not is_doctor and appointment.patient_id != request.user.pk:
        raise Http404
    notes = appointment.notes.select_related("author")
    if not is_doctor:
        notes = notes.filter(for_patient=True)
    free = Slot.objects.filter(
        doctor=appointment.slot.doctor, start__gt=timezone.now(), is_blocked=False
    ).exclude(appointments__status=Appointment.Status.BOOKED)
    context = {
        "appointment": appointment,
        "is_doctor": is_doctor,
        "notes": notes,
        "note_form": NoteForm(),
        "free": free[:50],
    }
    return render(request, "appointments/detail.html", context)


@require_POST
def move(request, pk):
    appointment = get_object_or_404(Appointment, pk=pk, patient=request.user)
    slot = get_object_or_404(Slot, pk=request.POST.get("slot"))
    appointment.slot = slot
    appointment.status = Appointment.Status.BOOKED
    appointment.save()
    inform(appointment, "Moved")
    messages.success(request, "Your appointment was moved.")
    return redirect(appointment)


@require_POST
def cancel(request, pk):
    with transaction.atomic():
        own = Appointment.objects.select_for_update().filter(patient=request.user)
        appointment = get_object_or_404(own, pk=pk)
        limit = appointment.slot.start - timedelta(hours=CANCEL_HOURS)
        if appointment.status != Appointment.Status.BOOKED or timezone.now() > limit:
            messages.error(request, f"Cancel {CANCEL_HOURS} hours before at the latest.")
            return redirect(appointment)
        appointment.status = Appointment.Status.CANCELLED
        appointment.save(update_fields=["status"])
        inform(appointment, "Cancelled")
    messages.success(request, "Your appointment was cancelled.")
    return redirect("appointments:mine")


@require_POST
def done(request, pk):
    booked = Appointment.objects.filter(pk=pk, status=Appointment.Status.BOOKED)
    own = booked.filter(slot__doctor=doctor_of(request.user))
    if not own.update(status=Appointment.Status.DONE):
        raise Http404
    return redirect("appointments:detail", pk=pk)


@require_POST
def add_note(request, pk):
    doctor = doctor_of(request.user)
    appointment = get_object_or_404(Appointment, pk=pk)
    form = NoteForm(request.POST)
    if form.is_valid():
        form.instance.appointment = appointment
        form.instance.author = doctor
        note = form.save()
        if note.for_patient:
            text = f"{doctor} wrote:\n\n{note.text}"
            send_mail("A note for you", text, None, [appointment.patient.email])
    return redirect(appointment)


class NoteEdit(UpdateView):
    form_class = NoteForm
    template_name = "appointments/note.html"

    def get_queryset(self):
        return Note.objects.filter(author__user=self.request.user)

    def get_success_url(self):
        return self.object.appointment.get_absolute_url()


def my_slots(request):
    doctor = doctor_of(request.user)
    form = SlotsForm(request.POST or None)
    if form.is_valid():
        start, minutes = form.cleaned_data["first"], form.cleaned_data["minutes"]
        while start < form.cleaned_data["last"]:
            Slot.objects.create(doctor=doctor, start=start, minutes=minutes)
            start += timedelta(minutes=minutes)
        return redirect("appointments:slots")
    slots = doctor.slots.filter(start__gte=timezone.now())
    context = {"form": form, "slots": slots.prefetch_related("appointments__patient")}
    return render(request, "appointments/slots.html", context)


@require_POST
def delete_slot(request, pk):
    slot = get_object_or_404(Slot, pk=pk, doctor=doctor_of(request.user))
    slot.delete()
    messages.success(request, "The slot was deleted.")
    return redirect("appointments:slots")


@require_safe
def event(request, pk):
    appointment = get_object_or_404(Appointment, pk=pk)
    response = HttpResponse(ical.write([appointment]), content_type="text/calendar")
    response["Content-Disposition"] = 'attachment; filename="appointment.ics"'
    return response


def calendar_link(request):
    token = signing.dumps(request.user.pk, salt="calendar")
    if request.method == "POST":
        messages.success(request, "You have a new link. The old one is no longer shown.")
        return redirect("appointments:calendar_link")
    path = reverse("appointments:calendar", args=[token])
    url = request.build_absolute_uri(path)
    return render(request, "appointments/calendar_link.html", {"url": url})


@login_not_required
def calendar(request, token):
    try:
        user = get_object_or_404(User, pk=signing.loads(token, salt="calendar"))
    except signing.BadSignature:
        raise Http404
    appointments = Appointment.objects.exclude(status="cancelled")
    appointments = appointments.select_related("slot__doctor", "patient")
    if hasattr(user, "doctor"):
        text = ical.write(appointments.filter(slot__doctor=user.doctor), True)
    else:
        text = ical.write(appointments.filter(patient=user))
    return HttpResponse(text, content_type="text/calendar; charset=utf-8")


@login_not_required
def confirm(request, token):
    """The link in a reminder. The patient is logged in, so that they can move it."""
    try:
        pk = signing.loads(token, salt="confirm")
    except signing.BadSignature:
        raise Http404
    appointment = get_object_or_404(Appointment, pk=pk)
    appointment.is_confirmed = True
    appointment.save()
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    login(request, appointment.patient, backend=backend)
    return redirect(appointment)


@login_not_required
def send_reminders(request):
    if request.GET.get("key") != REMINDER_KEY:
        raise PermissionDenied
    tomorrow = timezone.now() + timedelta(days=1)
    due = Appointment.objects.filter(is_reminded=False, slot__start__lt=tomorrow)
    for appointment in due:
        token = signing.dumps(appointment.pk, salt="confirm")
        url = request.build_absolute_uri(reverse("appointments:confirm", args=[token]))
        inform(appointment, "Reminder", f"Confirm or move it: {url}")
    sent = [appointment.patient.email for appointment in due]
    due.update(is_reminded=True)
    return JsonResponse({"sent": sent})


@login_not_required
@require_safe
def api_slots(request, pk):
    """For the booking widget on the practice's website."""
    slots = Slot.objects.filter(doctor_id=pk, start__gte=timezone.now())
    rows = []
    for slot in slots:
        booked = slot.appointments.filter(status="booked").first()
        row = {"id": slot.pk, "start": slot.start, "free": booked is None}
        row["patient"] = booked.patient.name if booked else None
        rows.append(row)
    return JsonResponse({"slots": rows}, headers={"Access-Control-Allow-Origin": "*"})


@require_safe
def api_appointments(request):
    own = Appointment.objects.filter(patient=request.user).order_by("-created_at")
    rows = own.values("id", "slot__start", "slot__doctor__name", "status", "notes__text")
    return JsonResponse({"appointments": list(rows[:100])})
