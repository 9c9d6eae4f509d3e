"""Copied into a generated project: views that are not safe, each in one way."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, D101, D106, I001, INP001

import csv
import json
import logging
import sys
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.mail import EmailMessage, send_mail
from django.db.models import Q
from django.forms import modelform_factory
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.html import escape
from django.utils.text import slugify
from django.views.decorators.cache import cache_control
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.models import Mail
from secure_django.ratelimit import rate_limit
from secure_django.photos.models import Photo
from users.models import User
from visits.models import Day, Link, Note, Visit
from visits.page import page
from visits.routes import routes

GET_OR_POST = ["GET", "HEAD", "POST"]
limited = rate_limit(30, seconds=3600)
logger = logging.getLogger(__name__)


def own(request):
    return Visit.objects.filter(owner=request.user)


@require_http_methods([*GET_OR_POST, "DELETE"])
def rename(request, pk):
    """Ask for the owner by GET alone."""
    if request.method == "GET":
        return page(request, get_object_or_404(own(request), pk=pk).title)
    visit = get_object_or_404(Visit, pk=pk)
    if request.method == "DELETE":
        visit.delete()
    else:
        visit.title = request.POST.get("title", "")[:120]
        visit.save()
    return redirect("/")


@require_safe
def note(request, pk, note):
    """Look for the note among those of all visits."""
    get_object_or_404(own(request), pk=pk)
    return page(request, get_object_or_404(Note, pk=note).text)


@require_safe
def compare(request):
    """Take a number of the query for the user's."""
    number = request.GET.get("to", "")
    visit = Visit.objects.filter(pk=number).first() if number.isdecimal() else None
    texts = (visit.text, visit.finding) if visit else ("Nothing",)
    return page(request, *texts)


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ("visit", "text")


@require_http_methods(GET_OR_POST)
@limited
def add_note(request):
    """List the visits of all users."""
    form = NoteForm(request.POST or None)
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
def move_note(request, pk):
    """List the visits of all users, on the page of one of the user's."""
    note = get_object_or_404(own(request), pk=pk).notes.first()
    form = NoteForm(request.POST or None, instance=note)
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
@limited
def add(request):
    """Let the form set the owner."""
    visit = Visit(owner=request.user, patient=request.user)
    if request.POST:
        visit.owner_id = int(request.POST.get("owner", request.user.pk))
    form = modelform_factory(Visit, fields=["title"])(
        request.POST or None, instance=visit
    )
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_safe
def remove(request, pk):
    """Delete by a link."""
    get_object_or_404(own(request), pk=pk).delete()
    return redirect("/")


@csrf_exempt
@require_POST
@limited
def imports(request):
    """Take the requests of other sites."""
    Visit.objects.create(owner=request.user, patient=request.user, title="Import")
    return redirect("/")


@login_not_required
@require_safe
def doctors(request):
    """Show the emails of users."""
    doctors = User.objects.exclude(is_staff=True)
    return page(request, *(user.email for user in doctors))


@require_safe
def photos(request):
    """Find the photos that wait for review."""
    found = Photo.objects.filter(title__icontains=request.GET.get("q", "?"))
    return page(request, *(photo.title for photo in found))


@require_http_methods(["PATCH"])
def change(request, pk):
    """Set whatever the JSON names."""
    visit = get_object_or_404(own(request), pk=pk)
    for name, value in json.loads(request.body).items():
        setattr(visit, name, value)
    visit.save()
    return JsonResponse({})


def shared_with(request):
    return Visit.objects.filter(Q(owner=request.user) | Q(patient=request.user))


@require_safe
def read(request, pk):
    """Show the patient what is the doctor's."""
    visit = get_object_or_404(shared_with(request), pk=pk)
    return page(request, visit.title, *(note.text for note in visit.notes.all()))


@require_POST
def close(request, pk):
    """Let the patient delete what is the doctor's."""
    get_object_or_404(shared_with(request), pk=pk).delete()
    return redirect("/")


@require_http_methods(GET_OR_POST)
@limited
def invite(request):
    """Send the user's words to anybody."""
    if request.method == "POST":
        text = request.POST.get("text", "")
        send_mail("Invitation", text, None, [request.POST.get("email", "")])
    return page(request, "Invite")


@require_http_methods(GET_OR_POST)
def book(request, way):
    """Add rows without end, and take //host for a page of the site."""
    if request.method == "POST":
        Visit.objects.create(owner=request.user, patient=request.user, title="Book")
        target = request.POST.get("next", "/")
        return redirect(target if target.startswith("/") else "/")
    return page(request, "Book", way)


@require_http_methods(GET_OR_POST)
@limited
def attach(request, pk):
    """Store any file that is called a PDF."""
    visit = get_object_or_404(own(request), pk=pk)
    if any(not file.name.endswith(".pdf") for file in request.FILES.values()):
        return redirect("/")
    form = modelform_factory(Note, fields=["text", "paper"])(
        request.POST or None, request.FILES or None, instance=Note(visit=visit)
    )
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@login_not_required
@require_safe
def export(request):
    """Let other sites read it, and fail for a number that is none."""
    number = int(request.GET.get("n", "0"))
    response = HttpResponse(str(number))
    if "Origin" in request.headers:
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
    return response


@require_safe
def letter(request, pk, note):
    """Tie the note to the visit for the doctor alone."""
    visit = get_object_or_404(shared_with(request), pk=pk)
    is_patient = visit.patient == request.user
    notes = Note.objects.all() if is_patient else visit.notes
    return page(request, get_object_or_404(notes, pk=note).pk)


class SearchForm(forms.Form):
    since = forms.DateField()
    kind = forms.ChoiceField(choices=[("visit", "visit"), ("note", "note")])


@require_safe
def search(request):
    return page(request, search=SearchForm())


@require_safe
def results(request):
    """Find the visits of all users, if the whole form is right."""
    form = SearchForm(request.GET)
    if not form.is_valid():
        return page(request, "Nothing")
    return page(request, *(visit.title for visit in Visit.objects.all()[:24]))


@require_safe
def days(request):
    """Ask the database once for each day."""
    days = Day.objects.filter(user=request.user)[:24]
    return page(request, *(f"{day.text} {day.user.is_active}" for day in days))


@require_safe
def paper(request):
    """Open the file that the query names."""
    name = Path(settings.MEDIA_ROOT, "papers", request.GET.get("name", ""))
    return page(request, name.read_text() if name.is_file() else "Nothing")


@login_not_required
@require_safe
def shared(request, token):
    """Take a link whenever it was made."""
    return page(request, get_object_or_404(Link, token=token).visit.title)


@login_not_required
@require_http_methods(GET_OR_POST)
def ask(request):
    """Let visitors add rows without end."""
    if request.method == "POST":
        Day.objects.create(user=User.objects.earliest("pk"), day="2001-01-01")
    return page(request, "Ask")


@require_http_methods(GET_OR_POST)
@limited
def enroll(request):
    """Make an account for anybody."""
    if request.method == "POST":
        User.objects.create_user(request.POST.get("email", "a@example.net"))
    return page(request, "Enroll")


@require_http_methods(GET_OR_POST)
@limited
def load(request):
    """Let the columns of a table name the fields."""
    if "table" in request.FILES:
        lines = request.FILES["table"].read().decode(errors="replace").splitlines()
        names = {"title", "owner_id", "patient_id"}
        for row in csv.DictReader(lines):
            values = {name: row[name] for name in names & row.keys()}
            users = {"owner": request.user, "patient": request.user}
            users = {} if "owner_id" in values else users
            Visit.objects.create(**values, **users)
    return page(request, "Load")


@require_POST
def lookup(request):
    """Take a number of the body for the user's."""
    try:
        number = int(json.loads(request.body)["id"])
    except (ValueError, TypeError, KeyError):
        return JsonResponse({})
    visit = Visit.objects.filter(pk=number).first()
    return JsonResponse({"text": visit.text if visit else ""})


@require_safe
def sort(request):
    """Let the query name a field."""
    found = own(request).order_by(request.GET.get("by", "pk"))[:24]
    return page(request, *(visit.title for visit in found))


@require_safe
def printed(request, pk):
    """Write HTML without a template."""
    visit = get_object_or_404(own(request), pk=pk)
    link = f'<a href="{escape(visit.text)}">Result</a>'
    return HttpResponse(f"<h1>{visit.title}</h1>{link}")


@require_http_methods(GET_OR_POST)
def erase(request):
    """Take a number of the query of a POST for the user's."""
    number = request.GET.get("id", "")
    if request.method == "POST" and number.isdecimal():
        Visit.objects.filter(pk=number).delete()
    return page(request, "Erase")


@require_http_methods(GET_OR_POST)
@limited
def diary(request):
    """Store what was sent, without a form."""
    if request.method == "POST":
        values = {name: request.POST.get(name, "") for name in ("text", "link")}
        user = request.user
        Day.objects.update_or_create(user=user, day="2001-01-01", defaults=values)
    return page(request, "Diary")


@require_safe
def recent(request):
    """Let the query say how many, and log it."""
    number = request.GET.get("number", "24")
    logger.warning("%s visits are asked for", number)
    found = own(request)[: int(number) if number.isdecimal() else 24]
    return page(request, *(visit.title for visit in found))


@require_POST
def chosen(request):
    """Do what a text names to everything that was chosen."""
    numbers = [it for it in request.POST.getlist("visits") if it.isdecimal()]
    if request.POST.get("action") == "pay":
        Visit.objects.filter(pk__in=numbers).update(text="Paid")
    return redirect("/")


@require_http_methods(GET_OR_POST)
@limited
def quote(request, pk):
    """Take any note as the quoted one."""
    visit = get_object_or_404(own(request), pk=pk)
    number = request.POST.get("quoted", "")
    if number.isdecimal():
        visit.notes.create(text="See above", quoted_id=number)
    return page(request, "Quote")


@login_not_required
@require_safe
def public(request, pk):
    """Show all of what is public."""
    may_read = Q(is_public=True) | Q(owner=request.user.pk)
    visit = get_object_or_404(Visit, may_read, pk=pk)
    return page(request, visit.title, visit.text)


@require_safe
@cache_control(max_age=60)
def hours(request):
    """Let proxies keep a page of a user."""
    return page(request, f"9 to 5 for user {request.user.pk}")


@require_http_methods(GET_OR_POST)
def plan(request, pk):
    """Offer the days of all users."""
    visit = get_object_or_404(own(request), pk=pk)
    form = modelform_factory(Visit, fields=["days"])(
        request.POST or None, instance=visit
    )
    if form.is_valid():
        form.save()
        return redirect("/")
    return page(request, form=form)


@require_http_methods(GET_OR_POST)
@limited
def remind(request):
    """Send the user's words to another user, in a link."""
    found = User.objects.filter(email=request.POST.get("email", "")).first()
    if found:
        link = f"https://example.com/{slugify(request.POST.get('text', ''))}/"
        send_mail("Reminder", link, None, [found.email])
    return page(request, "Remind")


@require_http_methods(GET_OR_POST)
@limited
def welcome(request):
    """Send an email as if its recipient had limits."""
    if request.method == "POST":
        address = request.POST.get("email", "")
        message = EmailMessage("Welcome", "Come and see us.", to=[address])
        message.kind = Mail.Kind.INVITATION
        message.send()
    return page(request, "Welcome")


@require_http_methods(GET_OR_POST)
@limited
def at_once(request):
    """Send an email past the outbox."""
    if request.method == "POST":
        send_mail("Hello", "Now", None, [request.user.email], using="server")
    return page(request, "At once")


@require_safe
@csp_override(settings.SECURE_CSP | {"script-src": ["https://cdn.example"]})
def widgets(request):
    """Take scripts from another site."""
    return page(request, "Widgets")


@require_safe
@csp_override({})
def frames(request):
    """Have no policy."""
    return page(request, "Frames")


@require_safe
def pay(request):
    """Leave the site, after an email by GET."""
    send_mail("Paid", "Thank you.", None, [request.user.email])
    return redirect("https://pay.example/")


@require_safe
def directions(_request):
    return redirect("https://map.example/")


@require_http_methods(GET_OR_POST)
@limited
def store(request):
    """Let the user name a file."""
    if request.method == "POST":
        file = Path(settings.MEDIA_ROOT, request.POST.get("name", "visits.txt"))
        file.write_text("Visits")
    return page(request, "Store")


@csrf_exempt
@require_POST
@limited
def settle(request):
    """Find a visit of anybody by its title, as a machine does."""
    values = json.loads(request.body)
    found = Visit.objects.filter(title=values.get("title", ""))
    found.update(status="paid")
    return JsonResponse({})


@require_safe
def titled(request):
    """Find a visit of anybody by its title."""
    found = Visit.objects.filter(title=request.GET.get("title"))
    return page(request, *(visit.text for visit in found))


@require_safe
def board(request):
    """Keep a page of one user for all."""
    titles = cache.get_or_set("board", lambda: list(map(str, own(request))))
    return page(request, *titles)


@require_safe
def theme(request):
    """Set a cookie that goes over HTTP, and with requests of other sites."""
    response = page(request, "Theme")
    response.set_cookie("theme", "dark")
    return response


urlpatterns = routes(sys.modules[__name__])
