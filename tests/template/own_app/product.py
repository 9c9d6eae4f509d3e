"""A product of one's own: workshops.

`poe app` makes the app, and the project's docs/your-first-app.md builds it.
"""

import re
import secrets
import sys
from difflib import unified_diff
from pathlib import Path

from tests.support.baking import run
from tests.support.readme import PACKAGE_DOCS, section
from tests.support.releases import Edit, change

POE = (sys.executable, "-m", "poethepoet", "--quiet", "--executor", "simple")
WORDS = {
    "notes": "workshops",
    "Notes": "Workshops",
    "Note": "Workshop",
    "note": "workshop",
}
TEXT = '    text = EncryptedTextField(_("text"), max_length=2000, blank=True)\n'
LAST_IMPORT = "from secure_django.encryption import EncryptedTextField\n"
SHOWN_AFTER = "  {{ object.text|linebreaks }}\n"

# What the product has beyond a cover. Each file is an edit of what `poe app` and the
# document made.
MODELS = """

class Booking(DueRow):
    \"\"\"A place in a workshop, due when its participant is to be reminded.\"\"\"

    owner_path = "participant"

    workshop = models.ForeignKey(Workshop, models.CASCADE, related_name="bookings")
    participant = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.participant}: {self.workshop}"


class Profile(models.Model):
    in_clear = {"name": "other participants see it"}

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", editable=False
    )
    name = models.CharField(_("name"), max_length=60)
    avatar = PhotoField(_("avatar"), blank=True)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("workshops:profile")


class Paper(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", editable=False
    )
    scan = PhotoField(_("scan"), visible_to=is_owner, moderated=False)

    def __str__(self) -> str:
        return f"Paper {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("workshops:paper", args=[self.pk])
"""
VISIBLE = """

def takes_part(workshop: "Workshop", user: User | AnonymousUser) -> bool:
    return user.is_authenticated and workshop.bookings.filter(participant=user).exists()


def is_owner(paper: "Paper", user: User | AnonymousUser) -> bool:
    return user.is_authenticated and paper.owner_id == user.pk

"""
FORMS = """

class ProfileForm(PhotoModelForm):
    most_per_owner = 1

    class Meta:
        model = Profile
        fields = ("name", "avatar")


class PaperForm(PhotoModelForm):
    most_per_owner = 100

    class Meta:
        model = Paper
        fields = ("scan",)


class ListForm(forms.Form):
    titles = forms.FileField()
"""
VIEWS = """

@login_not_required
@require_safe
def offers(request: HttpRequest) -> HttpResponse:
    workshops = Workshop.objects.select_related("cover", "plan")
    return render(request, "workshops/offers.html", {"workshops": workshops})


@require_safe
def room(request: UserRequest, pk: int) -> HttpResponse:
    open_to = Q(owner=request.user) | Q(bookings__participant=request.user)
    workshop = get_object_or_404(Workshop.objects.filter(open_to).distinct(), pk=pk)
    return render(request, "workshops/room.html", {"object": workshop})


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    found = Profile.objects.filter(owner=request.user).first() or Profile(
        owner=request.user
    )
    form = ProfileForm(
        request.POST or None,
        request.FILES or None,
        instance=found,
        owner=request.user,
    )
    return save(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def add_paper(request: UserRequest) -> HttpResponse:
    new = Paper(owner=request.user)
    form = PaperForm(
        request.POST or None, request.FILES or None, instance=new, owner=request.user
    )
    return save(request, form)


@require_safe
def paper(request: UserRequest, paper: int) -> HttpResponse:
    found = get_object_or_404(Paper.objects.filter(owner=request.user), pk=paper)
    return render(request, "workshops/paper.html", {"object": found})


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def load(request: UserRequest) -> HttpResponse:
    form = ListForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        titles = form.cleaned_data["titles"].read().decode().splitlines()
        Workshop.objects.bulk_create(
            Workshop(owner=request.user, title=title) for title in titles
        )
        return redirect("workshops:index")
    return render_form(request, "workshops/form.html", form)


def save(request: UserRequest, form: PhotoModelForm) -> HttpResponse:
    if form.is_valid() and (saved := form.save()):
        return redirect(saved)
    return render_form(request, "workshops/form.html", form)
"""
URLS = """\
    path("offers/", views.offers, name="offers"),
    path("<int:pk>/room/", views.room, name="room"),
    path("profile/", views.profile, name="profile"),
    path("papers/add/", views.add_paper, name="add_paper"),
    path("papers/<int:paper>/", views.paper, name="paper"),
    path("load/", views.load, name="load"),
    path("all/", views.edit_all, name="edit_all"),
"""
HANDOUTS = "# all: uploads: handouts are of any kind"
ROWS = f"""\
/workshops/offers/                           200    200    200      200    200
/workshops/<pk>/room/                        log-in 200    404      404    404
/workshops/profile/                          log-in 200    200      200    200
/workshops/papers/add/                       log-in 200    200      200    200
/workshops/papers/<paper>/                   log-in 200    404      404    404
/workshops/load/                             log-in 200    200      200    200
/workshops/all/  log-in 200    200      200    200 {HANDOUTS}
"""
JOBS = """\
from datetime import timedelta

from django.core.mail import send_mail

from secure_django.jobs import job
from workshops.models import Booking

BATCH = 5
CLAIM = timedelta(minutes=5)


@job(every=2)
def remind() -> bool:
    \"\"\"Remind the participants of the workshops that begin soon.\"\"\"
    bookings = Booking.objects.claim(BATCH, CLAIM)
    for booking in bookings:
        send_mail(
            "Tomorrow",
            f"{booking.workshop} begins tomorrow.",
            None,
            [booking.participant.email],
        )
        Booking.objects.reschedule(booking, None)
    return len(bookings) == BATCH
"""
PAGES = {
    "offers": (
        "{% for workshop in workshops %}"
        '{% photo workshop "cover" "thumbnail" alt=workshop.title %}'
        "{% endfor %}"
    ),
    "room": '<h1>{{ object }}</h1>{% photo object "plan" alt="Plan" %}',
    "paper": '<h1>{{ object }}</h1>{% photo object "scan" alt="Scan" %}',
    "edit_all": (
        '<form method="post" enctype="multipart/form-data">{% csrf_token %}'
        "{{ formset }}<button>Save</button></form>"
    ),
}
PAGE = """\
{{% extends "base.html" %}}
{{% load photos %}}

{{% block title %}}{{{{ object }}}}{{% endblock %}}

{{% block content %}}{}{{% endblock %}}
"""
# Where the document's five lines are now, and what the product changes around them.
MADE = "    created_at = models"
AUTH = "from django.contrib.auth"
SETTINGS, MESSAGES = (
    "from django.conf import settings\n",
    "from django.contrib import messages\n",
)
PARAMETERS = """\
        "pk": made.pk,
        "paper": Paper.objects.create(owner=owner).pk,
"""
EDITS: list[Edit] = [
    ("models.py", SETTINGS, f"{SETTINGS}{AUTH}.models import AnonymousUser\n"),
    (
        "models.py",
        LAST_IMPORT,
        f"from secure_django.due import DueRow\n{LAST_IMPORT}",
    ),
    (
        "models.py",
        "\n\n\nclass Workshop(",
        f"\nfrom users.models import User\n{VISIBLE}\nclass Workshop(",
    ),
    (
        "models.py",
        MADE,
        (
            '    plan = PhotoField(_("plan of the room"), blank=True, '
            f"visible_to=takes_part)\n{MADE}"
        ),
    ),
    (
        "models.py",
        MADE,
        (
            "    handout = models.FileField(  # noqa: TID251  # for its owner\n"
            '        _("handout"), upload_to="handouts/", blank=True\n'
            f"    )\n{MADE}"
        ),
    ),
    (
        "forms.py",
        '"cover",\n',
        '"cover",\n            "plan",\n            "handout",\n',
    ),
    (
        "forms.py",
        "from secure_django.photos.forms",
        "from django import forms\n\nfrom secure_django.photos.forms",
    ),
    ("forms.py", "import Workshop\n", "import Paper, Profile, Workshop\n"),
    ("views.py", MESSAGES, f"{MESSAGES}{AUTH}.decorators import login_not_required\n"),
    ("views.py", "import QuerySet\n", "import Q, QuerySet\n"),
    ("views.py", "import HttpResponse\n", "import HttpRequest, HttpResponse\n"),
    ("views.py", "import render_form\n", "import PhotoModelForm, render_form\n"),
    (
        "views.py",
        "import WorkshopForm\n",
        "import ListForm, PaperForm, ProfileForm, WorkshopForm\n",
    ),
    ("views.py", "import Workshop\n", "import Paper, Profile, Workshop\n"),
    ("urls.py", "urlpatterns = [\n", f"urlpatterns = [\n{URLS}"),
    ("tests/table.py", "/workshops/create/ ", f"{ROWS}/workshops/create/ "),
    ("tests/table.py", "import Workshop\n", "import Paper, Profile, Workshop\n"),
    (
        "tests/table.py",
        'ROWS = """',
        'CHECKED_FILES = {"Workshop.handout"}  # its owner alone reads it\nROWS = """',
    ),
    (
        "tests/table.py",
        f"/workshops/create/{' ' * 31}log-in 200    200      200    200",
        f"/workshops/create/ log-in 200 200 200 200 {HANDOUTS}",
    ),
    (
        "tests/table.py",
        f"/workshops/<pk>/edit/{' ' * 28}log-in 200    404      404    404",
        f"/workshops/<pk>/edit/ log-in 200 404 404 404 {HANDOUTS}",
    ),
    (
        "tests/table.py",
        "    made = Workshop",
        '    Profile.objects.create(owner=owner, name="Ann")\n    made = Workshop',
    ),
    (
        "tests/table.py",
        '        "pk": made.pk,\n',
        PARAMETERS,
    ),
]


def make_app(folder: Path) -> None:
    """Make the app by the command of the document."""
    run(folder, *POE, "app", "workshops", "--admin")


def add_cover(folder: Path) -> None:
    """Give each workshop a cover by the lines of the document."""
    for path, code in photo_lines(folder):
        present = (folder / path).read_text("utf-8").splitlines()
        for line in code:
            if line not in present:
                change(folder, [cover_edit(folder, path, line)])
    manage(folder, "makemigrations", "workshops")


def photo_lines(folder: Path) -> list[tuple[str, list[str]]]:
    """Return the document's lines for a cover, by file, in the words of this app."""
    photos = guide(folder / "docs" / "your-first-app.md", "Photos")
    found = re.findall(
        r"In `(\S+)`.*?\n```\w+\n(.+?)```", photos, re.MULTILINE | re.DOTALL
    )
    return [
        (path, [line for line in code.splitlines() if line.strip()])
        for path, code in found
    ]


def formset_lines() -> tuple[str, str]:
    """Return the document's imports and code for a formset, in words of this app."""
    several = guide(PACKAGE_DOCS / "photos.md", "Several at once")
    code = several.partition("```python\n")[2].partition("```")[0]
    imports, _, rest = code.partition("\n\n")
    return imports, rest


def guide(document: Path, heading: str) -> str:
    """Return a section of a document, in the words of this app."""
    return re.sub(
        r"notes|Notes|Note|note",
        lambda word: WORDS[word[0]],
        section(document, heading),
    )


def cover_edit(folder: Path, path: str, line: str) -> Edit:
    """Return the edit that puts a line of the document where developers would."""
    if line.startswith("from "):
        return path, LAST_IMPORT, f"{LAST_IMPORT}{line}\n"
    if line.lstrip().startswith("cover = "):
        return path, TEXT, f"{TEXT}{line}\n"
    if line == '            "cover",':
        return path, '            "text",\n', f'            "text",\n{line}\n'
    place = next(
        (
            it
            for it in ("{% load photos %}\n", SHOWN_AFTER)
            if it in (folder / path).read_text("utf-8")
        ),
        "",
    )
    return path, place, f"{place}{line}\n"


def build_product(folder: Path) -> None:
    """Add what the product has beside the covers.

    These are plans, avatars, papers, handouts, a list to load and reminders.
    """
    app = folder / "workshops"
    imports, formset = formset_lines()
    imported = "from django.db.models"
    change(app, [*EDITS, ("views.py", imported, f"{imports}\n{imported}")])
    views = f"{VIEWS}\n\n{formset}"
    for path, code in (("models.py", MODELS), ("forms.py", FORMS), ("views.py", views)):
        with (app / path).open("a", encoding="utf-8") as file:
            file.write(code)
    (app / "jobs.py").write_text(JOBS, encoding="utf-8")
    for page, content in PAGES.items():
        (app / "templates" / "workshops" / f"{page}.html").write_text(
            PAGE.format(content), encoding="utf-8"
        )
    manage(folder, "makemigrations", "workshops")
    run(folder, "ruff", "check", "--quiet", "--fix", "--no-cache", "workshops")
    run(folder, "ruff", "format", "--quiet", "--no-cache", "workshops")


def manage(folder: Path, *arguments: str) -> str:
    """Run a command of manage.py with the settings of the tests."""
    return run(
        folder,
        sys.executable,
        "manage.py",
        *arguments,
        DJANGO_SETTINGS_MODULE="tests.settings",
    )


def texts(folder: Path) -> dict[str, str]:
    """Return a project's files except migrations, which Django writes, and caches."""
    skipped = {"migrations", "__pycache__", ".mypy_cache", ".ruff_cache"}
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not skipped & set(path.parts)
    ]
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8", errors="replace")
        for path in files
    }


def added_lines(before: dict[str, str], after: dict[str, str]) -> dict[str, int]:
    """Return how many lines each changed file has that it did not have before."""
    numbers = {}
    for path in after:
        diff = list(
            unified_diff(
                before.get(path, "").splitlines(),
                after[path].splitlines(),
                lineterm="",
                n=0,
            )
        )[2:]
        numbers[path] = len(
            [line for line in diff if line.startswith("+") and line.strip() != "+"]
        )
    return {
        path: number
        for path, number in numbers.items()
        if number or before.get(path) != after[path]
    }


def form_data(
    fields: dict[str, str], files: dict[str, tuple[str, bytes]]
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a form with files, as browsers send it."""
    boundary = secrets.token_hex(16)
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n{text}'.encode()
        for key, text in fields.items()
    ]
    for key, (name, content) in files.items():
        disposition = (
            f'Content-Disposition: form-data; name="{key}"; filename="{name}"\r\n'
        )
        parts.append(
            f"{disposition}Content-Type: image/jpeg\r\n\r\n".encode() + content
        )
    body = (
        b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
        + f"--{boundary}--\r\n".encode()
    )
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
