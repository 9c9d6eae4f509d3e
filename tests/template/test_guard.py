"""The guard notices unsafe views of a project, and only those.

`inside/visits/` has an app with 48 views, each of them unsafe in one way, and the
same views in their safe form. The rows of the access table are the same for both.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.baking import ALL_OFF, ROOT, Project
from tests.support.releases import change
from tests.support.suite import ACCESS, GUARD, READING, run_tests

pytestmark = pytest.mark.tier("whole")

RESPONSE = "from django.http import HttpResponse\n"
CARDS = """\
from visits.models import Visit


def cards(request):
    visits = Visit.objects.filter(patient=request.user)
    return HttpResponse(", ".join(visit.owner.email for visit in visits))


"""
ROWS = """
/visits/<pk>/rename/        log-in 200    404    404    404
/visits/<pk>/notes/<note>/  log-in 200    404    404    404
/visits/compare/            log-in 200    200    200    200
/visits/notes/add/          log-in 200    200    200    200
/visits/<pk>/move/          log-in 200    404    404    404
/visits/add/                log-in 200    200    200    200
/visits/<pk>/remove/        log-in away   404    404    404
/visits/import/             log-in away   away   away   away
/visits/doctors/            200    200    200    200    200
/visits/photos/             log-in 200    200    200    200
/visits/<pk>/change/        log-in 400    404    404    404
/visits/<pk>/               log-in 200    404    404    404  200 # patient: title: WHY
/visits/<pk>/close/         log-in away   404    404    404
/visits/invite/             log-in 200    200    200    200
/visits/book/<way>/         log-in 200    200    200    200  200 # all: page: WHY
/visits/<pk>/attach/        log-in 200    404    404    404
/visits/export/             200    200    200    200    200
/visits/<pk>/letters/<note>/ log-in 200   404    404    404  200 # patient: page: WHY
/visits/search/             log-in 200    200    200    200
/visits/results/            log-in 200    200    200    200
/visits/days/               log-in 200    200    200    200
/visits/paper/              log-in 200    200    200    200
/visits/shared/<token>/     200    200    200    200    200 # all: title: links are sent
/visits/ask/                200    200    200    200    200
/visits/enroll/             log-in 200    200    200    200
/visits/load/               log-in 200    200    200    200
/visits/lookup/             log-in 200    200    200    200
/visits/sort/               log-in 200    200    200    200
/visits/<pk>/print/         log-in 200    404    404    404
/visits/erase/              log-in 200    200    200    200
/visits/diary/              log-in 200    200    200    200
/visits/recent/             log-in 200    200    200    200
/visits/chosen/             log-in away   away   away   away
/visits/<pk>/quote/         log-in 200    404    404    404
/visits/<pk>/public/        404    200    404    404    404 # all: title: WHY
/visits/hours/              log-in 200    200    200    200
/visits/<pk>/plan/          log-in 200    404    404    404
/visits/remind/             log-in 200    200    200    200
/visits/welcome/            log-in 200    200    200    200
/visits/at-once/            log-in 200    200    200    200
/visits/widgets/            log-in 200    200    200    200
/visits/frames/             log-in 200    200    200    200
/visits/pay/                log-in away   away   away   away
/visits/directions/         log-in away   away   away   away away # all: leaves: WHY
/visits/store/              log-in 200    200    200    200
/visits/settle/             log-in 400    400    400    400
/visits/titled/             log-in 200    200    200    200
/visits/board/              log-in 200    200    200    200
/visits/theme/              log-in 200    200    200    200
""".replace("WHY", "the visit is theirs")
# The table of a second app, which also gives its owner a profile.
USERS = """\
from visits.models import Profile

ROWS = ""


def objects(owner):
    Profile.objects.create(user=owner)
    return {}
"""
# What the tests say about each unsafe view.
FINDINGS = [
    "POST /visits/<pk>/rename/ changes Visit of the owner (other, patient, staff)",
    "DELETE /visits/<pk>/rename/ changes Visit of the owner (other, patient, staff)",
    "/visits/<pk>/notes/<note>/ mixes the numbers of two owners: it takes any pk",
    "/visits/compare/ shows Visit.text (other, patient, staff)",
    "/visits/notes/add/ shows Visit.title (other, patient, staff)",
    "POST /visits/notes/add/ uses Visit of the owner (other, patient, staff)",
    "/visits/<pk>/move/ shows Visit.title (other)",
    "POST /visits/<pk>/move/ uses Visit of the owner (other)",
    "POST /visits/add/ lets a user set Visit.owner (other, owner, patient, staff)",
    "GET /visits/<pk>/remove/ changes Visit: do so by POST (owner)",
    "/visits/import/ is csrf_exempt",
    "/visits/doctors/ shows User.email (anonym, other, patient, staff)",
    "/visits/photos/ shows Photo.title (other, patient, staff)",
    "PATCH /visits/<pk>/change/ lets a user set Visit.owner (owner)",
    "PATCH /visits/<pk>/change/ lets a user set Visit.status (owner)",
    "/visits/<pk>/ shows Note.text (patient)",
    "/visits/<pk>/ shows all objects at once",
    "POST /visits/<pk>/close/ changes Visit of the owner (patient)",
    "POST /visits/invite/ sends an email to any address",
    "POST /visits/book/<way>/ may be repeated without end: it needs a rate limit",
    "POST /visits/book/<way>/ redirects to any site",
    "POST /visits/<pk>/attach/ stores a file of any kind: check its content (owner)",
    "/visits/<pk>/letters/<note>/ mixes the numbers of two owners: it takes any note",
    "/visits/results/ shows Visit.title (other, patient, staff)",
    "/visits/days/ asks the database once for each object",
    "/visits/paper/ shows Note.paper (other, patient, staff)",
    "/visits/shared/<token>/ has no end (anonym, other, patient, reviewer, staff)",
    "POST /visits/ask/ may be repeated without end: it needs a rate limit (anonym)",
    "POST /visits/enroll/ makes an account or changes its log-in",
    "POST /visits/load/ lets a user set Visit.owner (other, owner, patient, staff)",
    "POST /visits/lookup/ shows Visit.text (other, patient, staff)",
    "/visits/export/ lets other sites read it: remove Access-Control-Allow-Origin",
    "/visits/export/ answers 500 (ValueError)",
    "/visits/sort/ answers 500 (FieldError): it takes the name of a field",
    "GET /visits/<pk>/print/ shows a stored text unescaped (owner)",
    "GET /visits/<pk>/print/ links to a text that may be javascript: (owner)",
    "POST /visits/erase/ changes Visit of the owner (other, patient, staff)",
    "POST /visits/diary/ stores what is no URL as Day.link",
    "POST /visits/diary/ stores a text of any length as Day.text",
    "/visits/recent/?number=1000 shows all objects at once",
    "/visits/recent/ logs a parameter: log ids only (other, patient, staff)",
    "POST /visits/chosen/ changes Visit of the owner (other, patient, staff)",
    "POST /visits/<pk>/quote/ uses Note of the owner (other)",
    "Once Visit.is_public is True, /visits/<pk>/public/ shows Visit.text (anonym)",
    "/visits/<pk>/plan/ shows Day.text (other)",
    "/visits/compare/ shows Visit.finding (other, patient, staff)",
    "PATCH /visits/<pk>/change/ lets a user set Visit.order_status (owner)",
    "POST /visits/remind/ sends a user's words to an address from a request (other)",
    "POST /visits/welcome/ sends an email to any address without its limits (owner)",
    "POST /visits/at-once/ sends an email to any address or past the outbox (owner)",
    "/visits/widgets/ weakens the Content-Security-Policy (other)",
    "/visits/frames/ weakens the Content-Security-Policy (other)",
    "/visits/pay/ redirects to another site (other)",
    "GET /visits/pay/ sends an email: do so by POST (other, owner, patient, staff)",
    "POST /visits/store/ opens a file by a name from a request (owner)",
    "POST /visits/settle/ changes Visit of the owner (other, patient, staff)",
    "/visits/titled/ shows Visit.text (other, patient, staff)",
    "/visits/board/ shows Visit.title from a cache (other, patient, staff)",
    "/visits/theme/ sets the cookie theme without secure, httponly or samesite (other)",
    "/visits/hours/ may be kept in a cache for others (other, owner, patient, staff)",
]


@pytest.fixture
def clinic(project: Project) -> Path:
    """Return a project with the app."""
    folder = project(ALL_OFF)
    app = folder / "visits"
    shutil.copytree(ROOT / "tests" / "template" / "inside" / "visits", app)
    tests = [app / "tests", folder / "users" / "tests"]
    for package in (app, *tests):
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    table = (app / "table.py").read_text(encoding="utf-8")
    table = table.replace('ROWS = ""', f'ROWS = """{ROWS}"""')
    for package, text in zip(tests, (table, USERS), strict=True):
        (package / "table.py").write_text(text, encoding="utf-8")
    urls = 'urlpatterns = [\n    path("visits/", include("visits.safe")),\n'
    change(
        folder,
        [
            ("config/settings.py", "INSTALLED_APPS = [", 'INSTALLED_APPS = ["visits",'),
            ("config/urls.py", "urlpatterns = [\n", urls),
        ],
    )
    return folder


def failures(folder: Path, *tests: str) -> str:
    """Run tests of access, which must fail, and return what they print."""
    with pytest.raises(AssertionError) as failure:
        run_tests(folder, *tests)
    return str(failure.value)


@pytest.mark.tier("scheduled", "src/secure_django/guard/*")
def test_safe_views_are_green(clinic: Path) -> None:
    run_tests(clinic, *GUARD)


def test_each_unsafe_view_is_named_with_what_it_does(clinic: Path) -> None:
    change(clinic, [("config/urls.py", "visits.safe", "visits.unsafe")])
    found = failures(clinic, *GUARD)
    assert not [it for it in FINDINGS if not said(it, found)], found


def test_survey_says_who_opens_what_and_misses_no_test(project: Project) -> None:
    report = run_tests(project(ALL_OFF), "--guard-survey")
    assert "each asked as every person" in report
    assert "was not collected" not in report


def test_row_to_append_is_never_what_an_unsafe_view_answers(clinic: Path) -> None:
    added = (
        '    path("admin/visits/<int:pk>/", lambda _, pk: HttpResponse("Visit")),\n'
        '    path("numbers/", lambda request: 1 / 0),\n'
    )
    change(
        clinic,
        [
            ("config/urls.py", "urlpatterns = [\n", f"urlpatterns = [\n{added}"),
            ("config/urls.py", "\nurlpatterns", f"\n{RESPONSE}\nurlpatterns"),
        ],
    )
    found = failures(clinic, *ACCESS, "-k", "has_an_access_rule")
    rows = [line.split() for line in found.splitlines()]
    assert ["/admin/visits/<pk>/", "log-in", "200", "404", "404", "404"] in rows, found
    assert ["/numbers/", "log-in", "200", "200", "200", "200"] in rows, found


def test_role_opens_the_pages_of_other_apps(clinic: Path) -> None:
    """Such a page may ask for the role, and show it what no other user reads."""
    row = "/cards/ log-in 200 200 200 200"
    added = 'urlpatterns = [\n    path("cards/", cards),\n'
    change(
        clinic,
        [
            ("config/urls.py", "urlpatterns = [\n", added),
            ("config/urls.py", "\nurlpatterns", f"\n{RESPONSE}{CARDS}\nurlpatterns"),
            ("users/tests/table.py", 'ROWS = ""', f'ROWS = "{row}"'),
        ],
    )
    found = failures(clinic, *READING, "-k", "belongs_to_others")
    assert "/cards/ shows User.email (patient)" in found


def test_one_user_at_both_ends_of_an_object_is_named(clinic: Path) -> None:
    change(clinic, [("visits/tests/table.py", "patient=patient", "patient=owner")])
    found = failures(clinic, *ACCESS, "-k", "two_users_share")
    assert "Visit.owner and Visit.patient lead to the same user" in found


def test_object_that_stays_without_its_account_is_named(clinic: Path) -> None:
    key = "user = models.ForeignKey(\n        settings.AUTH_USER_MODEL, models.CASCADE"
    kept = key.replace("CASCADE", "SET_NULL, null=True")
    change(clinic, [("visits/models.py", key, kept)])
    found = failures(clinic, *ACCESS, "-k", "deleted_account")
    assert "Day stays when its owner is deleted" in found


def test_token_that_can_be_guessed_is_named(clinic: Path) -> None:
    edit = ("token=token_urlsafe()", "token=str(visit.pk)")
    change(clinic, [("visits/tests/table.py", *edit)])
    found = failures(clinic, *ACCESS, "-k", "guesses")
    assert "/visits/shared/<token>/ has a token that can be guessed" in found


def test_check_of_a_password_outside_the_log_in_is_named(clinic: Path) -> None:
    added = "def is_known(user, it):\n    return user.check_password(it)\n\n\nPAGE = "
    change(clinic, [("visits/page.py", "PAGE = ", added)])
    found = failures(clinic, *ACCESS, "-k", "checks_passwords")
    assert re.search(r"visits.page\.py:\d+ calls check_password", found)


def test_model_that_a_copy_breaks_is_named(clinic: Path) -> None:
    """Without copies, no list would be long."""
    unique = 'models.UniqueConstraint(fields=["user", "day"], name="one_day")'
    few = 'models.CheckConstraint(condition=models.Q(pk__lt=9), name="few")'
    change(clinic, [("visits/models.py", unique, few)])
    found = failures(clinic, *READING, "-k", "as_quick_and_short")
    assert "Day cannot be copied: " in found


def said(finding: str, output: str) -> bool:
    """Return whether each of the people is named with the finding.

    Each of them has a test of their own.
    """
    sentence, _, people = finding.partition(" (")
    lines = [line for line in output.splitlines() if line.startswith(sentence)]
    names = re.findall(r"\w+", people) if "Error" not in people else []
    return bool(lines) and set(names) <= set(re.findall(r"\w+", " ".join(lines)))
