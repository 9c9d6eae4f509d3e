"""The rules of the emitted AGENTS.md: a broken rule fails the test that it names."""

import re
import sys
from pathlib import Path
from string import ascii_letters

import pytest

from tests.support.baking import COMBINATIONS, WITH_GALLERY, Answers, Project, name, run
from tests.support.releases import Edit, change

pytestmark = pytest.mark.tier("whole")

VIEWS = "gallery/views.py"
TABLE = "gallery/tests/table.py"
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
# For each rule, by the start of its text: an edit that breaks it. tests/test_imports.py
# breaks the rule about imports.
BREAKS: dict[str, Edit | list[Edit]] = {
    "Every URL has a row": (
        "config/urls.py",
        "urlpatterns = [\n",
        'urlpatterns = [\n    path("report/", health.health_live),\n',
    ),
    "A view names the methods": (
        "core/views.py",
        "@require_safe\ndef security_txt",
        "def security_txt",
    ),
    "A page requires log-in": (
        VIEWS,
        "@require_safe\ndef mine",
        "@login_not_required\n@require_safe\ndef mine",
    ),
    "A query for a user's objects": (
        VIEWS,
        "get_object_or_404(own(request), pk=photo_id)",
        "get_object_or_404(Photo, pk=photo_id)",
    ),
    "A list, a search": (
        VIEWS,
        "with_image_urls(own(request))",
        "with_image_urls(Photo.objects.not_deleted())",
    ),
    "Never pass request data": (
        VIEWS,
        'The photo was deleted."))\n    return redirect("gallery:mine")',
        'The photo was deleted."))\n    return redirect(request.POST.get("next", "/"))',
    ),
    "A link with a token expires": [
        (
            "config/urls.py",
            "urlpatterns = [\n",
            SENT,
        ),
        (TABLE, '"photo_id": photo.pk', '"photo_id": photo.pk, "token": photo.pk'),
        (
            TABLE,
            'ROWS = """\n',
            'ROWS = """\n/sent/<token>/ 200 200 200 200 200 # all: page: it is sent\n',
        ),
    ],
    "A view that adds rows": (
        VIEWS,
        'messages.success(request, _("The photo was deleted."))',
        'request.user.email_user("Photos", "The photo was deleted.")',
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
        "gallery/templates/gallery/_delete.html",
        "    {% csrf_token %}\n",
        "",
    ),
    "A form names its fields": (
        "uploads/forms.py",
        "setattr(self.instance, name, photo)",
        (
            "setattr(self.instance, name, photo), Photo.objects.filter(pk=photo.pk)"
            '.update(status=self.data["status"])'
        ),
    ),
    "Secrets come from": (
        "config/settings.py",
        'env.read("SECRET_KEY", secret_key)',
        f'env.read("SECRET_KEY", secret_key, "{ascii_letters}")',
    ),
    "Texts of users are stored": (
        "uploads/models.py",
        "original_name = EncryptedTextField(",
        "original_name = models.TextField(",
    ),
    "No page shows a user's email": (
        "gallery/templates/gallery/photo.html",
        "{% block content %}\n",
        "{% block content %}\n{{ photo.owner.email }}\n",
    ),
    "An email to a person who is not a user": (
        VIEWS,
        'messages.success(request, _("The photo was deleted."))',
        (
            "from django.core.mail import send_mail\n"
            '    send_mail("Gone", "Look", None, [request.POST.get("email", "")])'
        ),
    ),
    "A form says how many objects": (
        "gallery/forms.py",
        "\n\n\nclass UploadForm(",
        (
            "\nfrom uploads.models import Photo\n"
            "from uploads.forms import PhotoModelForm\n"
            "class PhotoForm(PhotoModelForm):\n"
            "    class Meta:\n"
            "        model = Photo\n"
            '        fields = ("title",)\n'
            "\n\nclass UploadForm("
        ),
    ),
    "Only `uploads/services.py`": (
        "uploads/forms.py",
        "delete_unused(old_photos)",
        "Photo.objects.filter(pk__in=[photo.pk for photo in old_photos]).delete()",
    ),
    "Logs hold ids": (
        "core/logging.py",
        '"error": type(error).__name__',
        '"error": str(error)',
    ),
    "A control has a test": (
        "core/tests/test_headers.py",
        '@pytest.mark.control("V12.2.1")\n',
        "",
    ),
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
RULE = re.compile(r"^\| (.+\.) \| `(test_\w+)` \|$", re.MULTILINE)


def rules(project: Path) -> list[tuple[str, str]]:
    """Return each rule with its test."""
    return RULE.findall((project / "AGENTS.md").read_text(encoding="utf-8"))


def file_of(test: str, project: Path) -> str:
    """Return the path of the only file that defines the test."""
    files = [
        path
        for path in project.rglob("tests/test_*.py")
        if f"def {test}(" in path.read_text(encoding="utf-8")
    ]
    assert len(files) == 1, test
    return files[0].relative_to(project).as_posix()


@pytest.mark.parametrize("answers", COMBINATIONS, ids=name)
def test_every_rule_names_a_test_and_is_broken_below(
    answers: Answers, pristine: Project
) -> None:
    project = pristine(answers)
    found = rules(project)
    assert len(found) == len(BREAKS)
    assert not [rule for rule, _ in found if not rule.startswith(tuple(BREAKS))]
    assert all(file_of(test, project) for _, test in found)
    assert len((project / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 48


@pytest.mark.parametrize(
    ("rule", "edits"), ALL_BREAKS, ids=[it for it, _ in ALL_BREAKS]
)
def test_broken_rule_is_noticed_by_its_test(
    rule: str, edits: Edit | list[Edit], project: Project
) -> None:
    folder = project(WITH_GALLERY)
    (test,) = [test for text, test in rules(folder) if text.startswith(rule)]
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"{file_of(test, folder)}::{test}",
    )
    change(folder, edits if isinstance(edits, list) else [edits])
    with pytest.raises(AssertionError, match=rf"\nFAILED \S+::{test}\b"):
        run(folder, *command)
