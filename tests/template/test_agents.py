"""The rules of the emitted AGENTS.md: a broken rule fails the test that it names."""

import re
from pathlib import Path
from string import ascii_letters

import pytest

import secure_django
from tests.support.baking import (
    COMBINATIONS,
    RAW,
    ROOT,
    WITH_GALLERY,
    Answers,
    Project,
    name,
)
from tests.support.releases import Edit, change
from tests.support.suite import run_tests

# Mutations of the controls, by the words of a document: scheduled as they are.
pytestmark = pytest.mark.tier(
    "scheduled", f"{RAW}/AGENTS.md", "src/secure_django/guard/*"
)

VIEWS = "gallery/views.py"
TABLE = "gallery/tests/table.py"
URLS = "config/urls.py"
IMPORTED = "from django.urls import include, path\n"
HEALTH = (URLS, IMPORTED, f"{IMPORTED}from secure_django.web import health\n")
# A page that whoever has its link may see.
SENT = """\
from uuid import UUID
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def sent(request: HttpRequest, token: UUID) -> HttpResponse:
    return health.health_live(request)


urlpatterns = [
    path("sent/<uuid:token>/", sent),
"""
# For each rule that a test notices, by the start of its text: an edit that breaks it.
BREAKS: dict[str, Edit | list[Edit]] = {
    "Every URL has a row": [
        HEALTH,
        (
            URLS,
            "urlpatterns = [\n",
            'urlpatterns = [\n    path("report/", health.health_live),\n',
        ),
    ],
    "A view names the methods": (VIEWS, "@require_safe\ndef mine", "def mine"),
    "A page requires log-in": (
        VIEWS,
        "@require_safe\ndef mine",
        "@login_not_required\n@require_safe\ndef mine",
    ),
    "A query for a user's objects": (
        VIEWS,
        "get_object_or_404(own(request), pk=pk)",
        "get_object_or_404(Picture, pk=pk)",
    ),
    "A list, a search": (
        VIEWS,
        "get_page(own(request), ",
        "get_page(Picture.objects.with_photos(), ",
    ),
    "Never pass request data": (
        VIEWS,
        'The photo was deleted."))\n    return redirect("gallery:mine")',
        'The photo was deleted."))\n    return redirect(request.POST.get("next", "/"))',
    ),
    "A link with a token expires": [
        HEALTH,
        (URLS, "urlpatterns = [\n", SENT),
        (TABLE, '"pk": made.pk', '"pk": made.pk, "token": made.pk'),
        (
            TABLE,
            'ROWS = """\n',
            'ROWS = """\n/sent/<token>/ 200 200 200 200 200 # all: page: it is sent\n',
        ),
    ],
    "A view that adds rows": (
        VIEWS,
        'messages.success(request, _("The photo was deleted."))',
        (
            "from django.core.mail import send_mail\n"
            '    send_mail("Photos", "It is gone.", None, [request.user.email])'
        ),
    ),
    "No inline script": (
        "templates/base.html",
        '<main id="main"',
        '<main id="main" onclick="this.focus()"',
    ),
    "The Content-Security-Policy": (
        "config/settings.py",
        '"style-src": [CSP.SELF]',
        '"style-src": [CSP.SELF, CSP.UNSAFE_INLINE]',
    ),
    "Every form that posts": (
        "gallery/templates/gallery/upload.html",
        "    {% csrf_token %}\n",
        "",
    ),
    "A key to a person says what others keep": [
        (
            "gallery/models.py",
            "    title = models.CharField(\n",
            (
                "    friend = models.ForeignKey(\n"
                "        settings.AUTH_USER_MODEL, models.CASCADE, null=True,"
                ' related_name="+"\n    )\n    title = models.CharField(\n'
            ),
        ),
        (
            "gallery/migrations/0001_initial.py",
            "                ('photo', models.ForeignKey(",
            (
                "                ('friend', models.ForeignKey(null=True,"
                " on_delete=models.CASCADE, related_name='+',"
                " to=settings.AUTH_USER_MODEL)),\n"
                "                ('photo', models.ForeignKey("
            ),
        ),
    ],
    "A form names its fields": (
        VIEWS,
        "    if form.is_valid():\n        form.save()\n",
        (
            "    if form.is_valid():\n        form.save()\n"
            '        if request.POST.get("status") == "approved":\n'
            "            from secure_django.photos.models import Photo\n"
            "            photos = Photo.objects.filter(owner=request.user)\n"
            '            photos.update(status="approved")\n'
        ),
    ),
    "Secrets come from": (
        "config/settings.py",
        'env.read("SECRET_KEY", conf.secret_key)',
        f'env.read("SECRET_KEY", conf.secret_key, "{ascii_letters}")',
    ),
    "Texts of users are stored": (
        "users/models.py",
        "class User(AbstractUser):\n",
        (
            "from django.db import models\n\n\n"
            "class User(AbstractUser):\n"
            "    about = models.TextField(blank=True)\n"
        ),
    ),
    "No page shows a user's email": (
        "gallery/templates/gallery/photo.html",
        "{% block content %}\n",
        "{% block content %}\n{{ picture.owner.email }}\n",
    ),
    "An email to a person who is not a user": (
        VIEWS,
        'messages.success(request, _("The photo was deleted."))',
        (
            "from django.core.mail import send_mail\n"
            '    send_mail("Gone", "Look", None, [request.POST.get("email", "")])'
        ),
    ),
    "A form of your own has": (
        VIEWS,
        "def mine(request: UserRequest) -> HttpResponse:\n",
        (
            "def mine(request: UserRequest) -> HttpResponse:\n"
            '    int(request.GET.get("year", 1))\n'
        ),
    ),
    "A form says how many objects": (
        "gallery/forms.py",
        "    most_per_owner = 1000\n\n",
        "",
    ),
    "Logs hold ids": (
        VIEWS,
        "def mine(request: UserRequest) -> HttpResponse:\n",
        (
            "def mine(request: UserRequest) -> HttpResponse:\n"
            "    import logging\n"
            '    logging.getLogger(__name__).warning(request.GET.get("older"))\n'
        ),
    ),
    "The package's source in": (
        "vendor/secure-django/src/secure_django/csv.py",
        "import csv\n",
        "import csv  # edited\n",
    ),
}
# The other rules, each with the module that breaks it.
BROKEN_ELSEWHERE = {
    "No test of the package": "tests/controls/test_plugin.py",
    "`settings.lock` has": "tests/template/test_settings_lock.py",
    "A user's URL is fetched": "tests/template/test_bans.py",
    "Imports point one way": "tests/template/test_imports.py",
}
# What a rule also says, by the start of its text.
CLAUSES: list[tuple[str, Edit]] = [
    (
        "A list, a search",
        (
            VIEWS,
            "def mine(request: UserRequest) -> HttpResponse:\n",
            (
                "def mine(request: UserRequest) -> HttpResponse:\n"
                "    from pathlib import Path\n"
                '    file = Path(request.GET.get("name", ""))\n'
                "    if file.is_file():\n"
                "        return HttpResponse(file.read_bytes())\n"
            ),
        ),
    ),
    (
        "Never pass request data",
        (
            VIEWS,
            'messages.success(request, _("The photo was deleted."))',
            'request.user.email = "another@example.com"; request.user.save()',
        ),
    ),
    (
        "An email to a person who is not a user",
        (
            VIEWS,
            'messages.success(request, _("The photo was deleted."))',
            (
                "from django.core.mail import send_mail\n"
                "    from users.models import User\n"
                '    to = request.POST.get("email")\n'
                "    for user in User.objects.filter(email=to):\n"
                '        send_mail("Gone", request.POST["text"], None, [user.email])'
            ),
        ),
    ),
]
ALL_BREAKS = [*BREAKS.items(), *CLAUSES]
RULE = re.compile(r"^\| (.+\.) \| `(test_\w+|uv run poe \w+)` \|$", re.MULTILINE)
PACKAGE = Path(secure_django.__file__).parent


def rules(project: Path) -> list[tuple[str, str]]:
    """Return each rule with its test."""
    return RULE.findall((project / "AGENTS.md").read_text(encoding="utf-8"))


def file_of(test: str, project: Path) -> str:
    """Return the path of the only file that defines the test and that the team runs."""
    own = [
        path for path in project.rglob("tests/test_*.py") if "vendor" not in path.parts
    ]
    suites = [*PACKAGE.glob("guard/test_*.py"), *PACKAGE.glob("controls/test_*.py")]
    files = [
        path
        for path in (*own, *suites)
        if f"def {test}(" in path.read_text(encoding="utf-8")
    ]
    assert len(files) == 1, test
    return str(files[0])


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_every_rule_names_a_test_and_is_broken_below(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    found = rules(project)
    assert len(found) == len(BREAKS) + len(BROKEN_ELSEWHERE)
    for rule, shown_by in found:
        is_task = shown_by.startswith("uv run poe ")
        broken = tuple(BROKEN_ELSEWHERE if is_task else BREAKS)
        assert rule.startswith(broken), rule
        assert is_task or file_of(shown_by, project)
    assert all((ROOT / module).exists() for module in BROKEN_ELSEWHERE.values())
    assert len((project / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 48


@pytest.mark.parametrize(
    ("rule", "edits"), ALL_BREAKS, ids=[it for it, _ in ALL_BREAKS]
)
def test_broken_rule_is_noticed_by_its_test(
    rule: str, edits: Edit | list[Edit], project: Project
) -> None:
    folder = project(WITH_GALLERY)
    (test,) = [test for text, test in rules(folder) if text.startswith(rule)]
    change(folder, edits if isinstance(edits, list) else [edits])
    with pytest.raises(AssertionError, match=rf"\nFAILED \S*::{test}\b"):
        run_tests(folder, f"{file_of(test, folder)}::{test}")
