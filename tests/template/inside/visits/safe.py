"""Copied into a generated project: the views of unsafe.py in their safe form."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN204, D101, D106, D107, I001, INP001

import csv
import json
import sys
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db.models import Q
from django.forms import modelform_factory
from django.http import (
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.ratelimit import rate_limit
from secure_django.photos.models import Photo
from users.models import User
from visits.models import Day, Link, Note, Visit
from visits.page import page
from visits.routes import routes

GET_OR_POST = ["GET", "HEAD", "POST"]
limited = rate_limit(30, seconds=3600)


def own(request):
    return Visit.objects.filter(owner=request.user)


@require_http_methods([*GET_OR_POST, "DELETE"])
def rename(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    if request.method == "GET":
        return page(request, visit.title)
    if request.method == "DELETE":
        visit.delete()
    else:
        visit.title = request.POST.get("title", "")[:120]
        visit.save()
    return redirect("/")


@require_safe
def note(request, pk, note):
    visit = get_object_or_404(own(request), pk=pk)
    return page(request, get_object_or_404(visit.notes, pk=note).text)


@require_safe
def compare(request):
    number = request.GET.get("to", "")
    visit = own(request).filter(pk=number).first() if number.isdecimal() else None
    return page(request, visit.text if visit else "Nothing")


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ("visit", "text")

    def __init__(self, *args, visits, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["visit"].queryset = visits


@require_http_methods(GET_OR_POST)
@limited
def add_note(request):
    form = NoteForm(request.POST or None, visits=own(request))
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
def move_note(request, pk):
    note = get_object_or_404(own(request), pk=pk).notes.first()
    form = NoteForm(request.POST or None, instance=note, visits=own(request))
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
@limited
def add(request):
    visit = Visit(owner=request.user, patient=request.user)
    form = modelform_factory(Visit, fields=["title"])(
        request.POST or None, instance=visit
    )
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_POST
def remove(request, pk):
    get_object_or_404(own(request), pk=pk).delete()
    return redirect("/")


@require_POST
@limited
def imports(request):
    Visit.objects.create(owner=request.user, patient=request.user, title="Import")
    return redirect("/")


@login_not_required
@require_safe
def doctors(request):
    return page(request, *(user.pk for user in User.objects.exclude(is_staff=True)))


@require_safe
def photos(request):
    text = request.GET.get("q", "?")
    found = Photo.objects.approved().filter(title__icontains=text)
    shown = (photo for photo in found if photo.is_visible_to(request.user))
    return page(request, *(photo.title for photo in shown))


@require_http_methods(["PATCH"])
def change(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    try:
        data = json.loads(request.body)
    except ValueError:
        return HttpResponseBadRequest()
    if not isinstance(data, dict):
        return HttpResponseBadRequest()
    form = modelform_factory(Visit, fields=["title", "text"])(data, instance=visit)
    if form.is_valid():
        form.save()
    return JsonResponse({})


@require_safe
def read(request, pk):
    if visit := Visit.objects.filter(patient=request.user, pk=pk).first():
        return page(request, visit.title)
    visit = get_object_or_404(own(request), pk=pk)
    return page(request, visit.title, *(note.text for note in visit.notes.all()[:24]))


@require_POST
def close(request, pk):
    get_object_or_404(own(request), pk=pk).delete()
    return redirect("/")


@require_http_methods(GET_OR_POST)
@limited
def invite(request):
    if request.method == "POST":
        send_mail("Reminder", "As you asked.", None, [request.user.email])
    return page(request, "Invite")


@require_http_methods(GET_OR_POST)
@limited
def book(request, way):
    if request.method == "POST":
        Visit.objects.create(owner=request.user, patient=request.user, title="Book")
        target = request.POST.get("next", "/")
        is_here = url_has_allowed_host_and_scheme(target, allowed_hosts=None)
        return HttpResponseRedirect(target if is_here else "/")
    return page(request, "Book", way)


def check_paper(file):
    if file.read(5) != b"%PDF-":
        message = "Send a PDF."
        raise ValidationError(message)
    file.seek(0)


@require_http_methods(GET_OR_POST)
@limited
def attach(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    form = modelform_factory(Note, fields=["text", "paper"])(
        request.POST or None, request.FILES or None, instance=Note(visit=visit)
    )
    form.fields["paper"].validators.append(check_paper)
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@login_not_required
@require_safe
def export(request):
    number = request.GET.get("n", "0")
    return HttpResponse(number if number.isdecimal() else "0")


@require_safe
def letter(request, pk, note):
    visits = Visit.objects.filter(Q(owner=request.user) | Q(patient=request.user))
    visit = get_object_or_404(visits, pk=pk)
    return page(request, get_object_or_404(visit.notes, pk=note).pk)


class SearchForm(forms.Form):
    since = forms.DateField()
    kind = forms.ChoiceField(choices=[("visit", "visit"), ("note", "note")])


@require_safe
def search(request):
    return page(request, search=SearchForm())


@require_safe
def results(request):
    form = SearchForm(request.GET)
    if not form.is_valid():
        return page(request, "Nothing")
    return page(request, *(visit.title for visit in own(request)[:24]))


@require_safe
def days(request):
    days = Day.objects.filter(user=request.user).select_related("user")[:24]
    return page(request, *(f"{day.text} {day.user.is_active}" for day in days))


@require_safe
def paper(request):
    number = request.GET.get("name", "")
    notes = Note.objects.filter(visit__in=own(request))
    note = notes.filter(pk=number).first() if number.isdecimal() else None
    return page(request, note.paper.read().decode() if note else "Nothing")


@login_not_required
@require_safe
def shared(request, token):
    links = Link.objects.filter(expires_at__gt=timezone.now())
    link = get_object_or_404(links, token=token)
    return page(request, link.visit.title, request.path)


@login_not_required
@require_http_methods(GET_OR_POST)
@rate_limit(30, seconds=3600, per="ip")
def ask(request):
    if request.method == "POST":
        Day.objects.create(user=User.objects.earliest("pk"), day="2001-01-01")
    return page(request, "Ask")


@require_http_methods(GET_OR_POST)
@limited
def enroll(request):
    return page(request, "Enroll")


@require_http_methods(GET_OR_POST)
@limited
def load(request):
    if "table" in request.FILES:
        lines = request.FILES["table"].read().decode(errors="replace").splitlines()
        for row in csv.DictReader(lines):
            title = (row.get("title") or "")[:120]
            Visit.objects.create(owner=request.user, patient=request.user, title=title)
    return page(request, "Load")


@require_POST
def lookup(request):
    try:
        number = int(json.loads(request.body)["id"])
    except (ValueError, TypeError, KeyError):
        return JsonResponse({})
    visit = own(request).filter(pk=number).first()
    return JsonResponse({"text": visit.text if visit else ""})


@require_safe
def sort(request):
    name = request.GET.get("by", "pk")
    found = own(request).order_by(name if name in {"pk", "title"} else "pk")[:24]
    return page(request, *(visit.title for visit in found))


@require_safe
def printed(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    return page(request, visit.title, visit.text)


@require_http_methods(GET_OR_POST)
def erase(request):
    number = request.GET.get("id", "")
    if request.method == "POST" and number.isdecimal():
        own(request).filter(pk=number).delete()
    return page(request, "Erase")


@require_http_methods(GET_OR_POST)
@limited
def diary(request):
    day = Day.objects.filter(user=request.user, day="2001-01-01").first()
    form = modelform_factory(Day, fields=["text", "link"])(
        request.POST or None, instance=day or Day(user=request.user, day="2001-01-01")
    )
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_safe
def recent(request):
    number = request.GET.get("number", "24")
    found = own(request)[: min(int(number), 100) if number.isdecimal() else 24]
    return page(request, *(visit.title for visit in found))


@require_POST
def chosen(request):
    numbers = [it for it in request.POST.getlist("visits") if it.isdecimal()]
    if request.POST.get("action") == "pay":
        own(request).filter(pk__in=numbers).update(text="Paid")
    return redirect("/")


@require_http_methods(GET_OR_POST)
@limited
def quote(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    number = request.POST.get("quoted", "")
    if number.isdecimal():
        quoted = get_object_or_404(visit.notes, pk=number)
        visit.notes.create(text="See above", quoted=quoted)
    return page(request, "Quote")


@login_not_required
@require_safe
def public(request, pk):
    may_read = Q(is_public=True) | Q(owner=request.user.pk)
    visit = get_object_or_404(Visit, may_read, pk=pk)
    return page(request, visit.title)


@require_safe
def hours(request):
    return page(request, f"9 to 5 for user {request.user.pk}")


@require_http_methods(GET_OR_POST)
def plan(request, pk):
    visit = get_object_or_404(own(request), pk=pk)
    form = modelform_factory(Visit, fields=["days"])(
        request.POST or None, instance=visit
    )
    # Without the field's name, which the tests would send otherwise.
    for field in form.fields.values():
        field.queryset = Day.objects.filter(user=request.user)
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
@limited
def remind(request):
    found = User.objects.filter(email=request.POST.get("email", "")).first()
    if found:
        send_mail("Reminder", "Look at your visits.", None, [found.email])
    return page(request, "Remind")


@require_safe
def welcome(request):
    return page(request, "Welcome")


@require_http_methods(GET_OR_POST)
@limited
def at_once(request):
    if request.method == "POST":
        send_mail("Hello", "Now", None, [request.user.email])
    return page(request, "At once")


@require_safe
def widgets(request):
    return page(request, "Widgets")


@require_safe
def frames(request):
    return page(request, "Frames")


@require_safe
def pay(_request):
    return redirect("/")


@require_safe
def directions(_request):
    return redirect("https://map.example/")


@require_http_methods(GET_OR_POST)
@limited
def store(request):
    if request.method == "POST":
        file = Path(settings.MEDIA_ROOT, f"visits {request.user.pk}.txt")
        file.write_text("Visits")
    return page(request, "Store")


@require_POST
@limited
def settle(request):
    try:
        title = json.loads(request.body)["title"]
    except (ValueError, TypeError, KeyError):
        return HttpResponseBadRequest("JSON with a title is expected.")
    own(request).filter(title=str(title)).update(status="paid")
    return JsonResponse({})


@require_safe
def titled(request):
    found = own(request).filter(title=request.GET.get("title"))
    return page(request, *(visit.text for visit in found[:20]))


@require_safe
def board(request):
    key = f"board-{request.user.pk}"
    titles = cache.get_or_set(key, lambda: list(map(str, own(request)[:20])))
    return page(request, *titles)


@require_safe
def theme(request):
    request.session["theme"] = "dark"
    return page(request, "Theme")


urlpatterns = routes(sys.modules[__name__])
