import csv
import datetime
import io

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage, send_mail
from django.db.models import F, Q
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import DetailView, ListView

from directory.forms import ContactForm, EntryForm, ImportForm, LeaveForm
from directory.models import Entry, Leave


def is_hr(user):
    return user.groups.filter(name="HR").exists()


class EntryList(ListView):
    template_name = "directory/list.html"
    context_object_name = "entries"
    paginate_by = 30

    def get_queryset(self):
        entries = Entry.objects.filter(active=True)
        q = self.request.GET.get("q", "").strip()
        if q:
            entries = entries.filter(
                Q(name__icontains=q) | Q(department__icontains=q) | Q(phone__icontains=q)
            )
        return entries

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | {"is_hr": is_hr(self.request.user)}


class EntryDetail(DetailView):
    template_name = "directory/entry.html"
    context_object_name = "entry"
    queryset = Entry.objects.select_related("user", "manager")

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        user = self.request.user
        own, hr = self.object.user == user, is_hr(user)
        boss = self.object.manager is not None and self.object.manager.user == user
        rights = {"is_own": own, "is_hr": hr, "may_edit": own or hr}
        return context | rights | {"may_see_salary": own or boss or hr}


def edit(request, pk):
    entry = get_object_or_404(Entry, pk=pk)
    if entry.user != request.user and not is_hr(request.user):
        raise PermissionDenied
    form = EntryForm(request.POST or None, instance=entry, is_hr=is_hr(request.user))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The entry was saved.")
        return redirect(request.GET.get("next") or entry.get_absolute_url())
    return render(request, "directory/form.html", {"form": form, "heading": "Edit entry"})


@require_safe
def search(request):
    """Autocompletion: ?q=ann&by=name, for the search field and other forms."""
    q = request.GET.get("q", "")
    by = request.GET.get("by", "name")
    entries = Entry.objects.filter(**{f"{by}__icontains": q}, active=True)
    rows = [{"name": e.name, "job": e.job, "url": e.get_absolute_url()} for e in entries[:20]]
    return JsonResponse({"results": rows})


@require_safe
def vcard(request, pk):
    entry = get_object_or_404(Entry, pk=pk, active=True)
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"FN:{entry.name}",
        f"TITLE:{entry.job}",
        f"EMAIL;TYPE=work:{entry.user.email}",
        f"TEL;TYPE=work:{entry.phone}",
        "ADR;TYPE=home:;;" + entry.address.replace("\r\n", " "),
        f"BDAY:{entry.birthday:%Y-%m-%d}" if entry.birthday else "",
        "END:VCARD",
    ]
    response = HttpResponse("\r\n".join(filter(None, lines)), content_type="text/vcard")
    response["Content-Disposition"] = f'attachment; filename="{entry.name}.vcf"'
    return response


def import_csv(request):
    if not is_hr(request.user):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["file"].read().decode("utf-8-sig")
        number = 0
        for row in csv.DictReader(io.StringIO(text)):
            import_row(request, row)
            number += 1
        messages.success(request, f"{number} entries were imported.")
        return redirect("directory:list")
    return render(request, "directory/form.html", {"form": form, "heading": "Import staff"})


def import_row(request, row):
    users = get_user_model().objects
    email = row["email"].strip().lower()
    user = users.filter(email=email).first()
    if user is None:
        password = f"Welcome-{row['name'].split()[0]}-{timezone.now().year}"
        user = users.create_user(email, password, name=row["name"])
        send_mail(
            "Your account",
            f"Hello {row['name']},\n\nyour account is ready: {request.build_absolute_uri('/')}\n"
            f"Email: {email}\nPassword: {password}\n",
            None,
            [email],
        )
    Entry.objects.update_or_create(
        user=user,
        defaults={
            "name": row["name"],
            "slug": slugify(row["name"]),
            "department": row["department"],
            "phone": row["phone"],
            "birthday": row["birthday"] or None,
            "salary_band": row["band"],
        },
    )


@require_POST
def deactivate(request, pk):
    if not is_hr(request.user):
        raise PermissionDenied
    entry = get_object_or_404(Entry, pk=pk)
    entry.active = False
    entry.save()
    return redirect("directory:list")


@require_safe
def chart(request):
    """The organisation chart. The script of the page folds the branches."""
    entries = Entry.objects.filter(active=True)
    data = list(entries.values("id", "name", "job", "department", "manager_id", "salary_band"))
    heads = [entry for entry in entries if entry.manager_id is None]
    return render(request, "directory/chart.html", {"heads": heads, "data": data})


@require_safe
def birthdays(request):
    today = timezone.localdate()
    upcoming = []
    for entry in Entry.objects.filter(active=True, birthday__isnull=False):
        day = entry.birthday.replace(year=today.year)
        if day < today:
            day = entry.birthday.replace(year=today.year + 1)
        if day - today <= datetime.timedelta(days=30):
            upcoming.append((day, entry))
    upcoming.sort(key=lambda row: row[0])
    return render(request, "directory/birthdays.html", {"upcoming": upcoming})


def own_entry(request):
    return get_object_or_404(Entry, user=request.user)


class LeaveList(ListView):
    """The user's own requests, and those that wait for the user."""

    template_name = "directory/leave.html"
    context_object_name = "leaves"

    def get_queryset(self):
        return Leave.objects.filter(entry__user=self.request.user).order_by("-start")

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["entry"] = own_entry(self.request)
        context["waiting"] = Leave.objects.filter(
            entry__manager__user=self.request.user, status=Leave.Status.REQUESTED
        ).select_related("entry")
        return context


def leave_new(request):
    entry = own_entry(request)
    form = LeaveForm(request.POST or None, entry=entry)
    if request.method == "POST" and form.is_valid():
        leave = form.save(commit=False)
        leave.entry = entry
        leave.save()
        send_mail(
            f"{entry}: {leave.get_kind_display()}",
            f"{entry} asks for {leave.start} to {leave.end} ({leave.days} days).\n"
            f"Reason: {leave.reason}\n\n{request.build_absolute_uri('/directory/leave/')}",
            None,
            [entry.manager.user.email],
        )
        return redirect("directory:leave")
    return render(request, "directory/form.html", {"form": form, "heading": "Request leave"})


@require_POST
def leave_cancel(request, pk):
    leave = get_object_or_404(Leave, pk=pk, entry__user=request.user, status=Leave.Status.REQUESTED)
    leave.delete()
    return redirect("directory:leave")


@require_POST
def leave_decide(request, pk):
    leave = get_object_or_404(Leave.objects.select_related("entry__manager"), pk=pk)
    if leave.entry.manager.user != request.user and not is_hr(request.user):
        raise PermissionDenied
    if request.POST.get("decision") == "approve":
        leave.status = Leave.Status.APPROVED
        if leave.kind == Leave.Kind.VACATION:
            Entry.objects.filter(pk=leave.entry_id).update(
                vacation_days=F("vacation_days") - leave.days
            )
    else:
        leave.status = Leave.Status.DECLINED
    leave.save()
    colleagues = leave.entry.manager.reports.filter(active=True).values_list(
        "user__email", flat=True
    )
    send_mail(
        f"{leave.entry}: {leave.get_kind_display()} {leave.get_status_display().lower()}",
        f"{leave.start} to {leave.end}\n{leave.reason}",
        None,
        list(colleagues),
    )
    return redirect("directory:leave")


@login_not_required
@require_safe
def feed(request, pk, token):
    """Approved leave of a person's team, for calendar programs, which cannot log in."""
    entry = get_object_or_404(Entry, pk=pk)
    if token != entry.feed_token:
        raise Http404
    team = Q(entry=entry) | Q(entry__manager=entry)
    if entry.manager:
        team |= Q(entry__manager=entry.manager)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//directory//leave//EN"]
    for leave in Leave.objects.filter(team, status=Leave.Status.APPROVED):
        lines += [
            "BEGIN:VEVENT",
            f"UID:leave-{leave.pk}",
            f"DTSTART;VALUE=DATE:{leave.start:%Y%m%d}",
            f"DTEND;VALUE=DATE:{leave.end + datetime.timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{leave.entry} is away",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return HttpResponse("\r\n".join(lines), content_type="text/calendar")


@login_not_required
def contact(request, slug):
    entry = get_object_or_404(Entry, slug=slug, public=True)
    form = ContactForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        EmailMessage(
            data["subject"],
            f"{data['name']} <{data['email']}> wrote on your contact page:\n\n{data['message']}",
            to=[entry.user.email],
            reply_to=[data["email"]],
        ).send()
        messages.success(request, "Your message was sent.")
        return redirect("directory:contact", slug)
    return render(request, "directory/contact.html", {"entry": entry, "form": form})
