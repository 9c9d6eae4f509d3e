"""What goes with an account in a project: the advice of the guide, and attacks on it.

The app is what `poe app households` makes, with the keys of the guide.
"""

import sys
from pathlib import Path

import pytest

from tests.support.baking import ALL_ON, Project, run
from tests.support.own_app import POE
from tests.support.releases import Edit, change
from tests.support.suite import CONTROLS, guard_files, run_tests

pytestmark = pytest.mark.tier("whole")

ASKED = (*guard_files("accounts"), "-k", "deleted_account")
CONTROL = f"{CONTROLS}/test_deletion.py"
OWNER_KEY = '        models.CASCADE,\n        related_name="+",\n        verbose_name'
FORGETTING = OWNER_KEY.replace("CASCADE", "SET_NULL, null=True")
MEMBER = """

class Member(models.Model):
    household = models.ForeignKey(
        Household, models.CASCADE, related_name="members", editable=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", editable=False
    )

    def __str__(self) -> str:
        return f"Member {self.pk}"
"""
OWN = "def own(request: UserRequest) -> QuerySet[Household]:\n"
READABLE = """\
def readable(request: UserRequest) -> QuerySet[Household]:
    is_member = Q(members__user=request.user)
    return Household.objects.filter(Q(owner=request.user) | is_member).distinct()


"""
ROW = "\n/households/<pk>/edit/"
REASON = "  200  # member: title, text: they live there"
OBJECTS = "    return {\n"
ATTACK = """
from households.models import Household, Member
from secure_django.testing import PASSWORD

def delete_by_page(client):
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client.post("/accounts/delete/").status_code

def test_members_keep_the_household(login, user, other_user):
    household = Household.objects.create(owner=user, title="Milk")
    household.members.create(user=other_user)
    status = delete_by_page(login(user))
    page = login(other_user).get(household.get_absolute_url())
    assert "Milk" in page.text
    household.refresh_from_db()
    assert (status, household.owner) == EXPECTED

def test_membership_goes_with_its_user(login, user, other_user):
    household = Household.objects.create(owner=user, title="Milk")
    household.members.create(user=other_user)
    assert delete_by_page(login(other_user)) == 200
    assert not Member.objects.exists()
    assert household.get_absolute_url() in login(user).get("/households/").text
"""
RECEIVER = """

@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def receive(instance: Any, **kwargs: Any) -> None:
    DO
"""
SIGNALS = (
    "from typing import Any\n\n",
    "from django.db.models.signals import pre_delete\n",
    "from django.dispatch import receiver\n",
)


@pytest.fixture
def site(project: Project) -> Path:
    """Return a project with households, as the guide says of their keys."""
    folder = project(ALL_ON)
    run(folder, *POE, "app", "households")
    models = folder / "households" / "models.py"
    models.write_text(models.read_text("utf-8") + MEMBER, encoding="utf-8")
    detail = '{"object": get_object_or_404(own(request), pk=pk)}'
    edits: list[Edit] = [
        ("models.py", OWNER_KEY, FORGETTING),
        ("views.py", "import QuerySet\n", "import Q, QuerySet\n"),
        ("views.py", OWN, READABLE + OWN),
        ("views.py", detail, detail.replace("own(", "readable(")),
        ("tests/table.py", ROW, f"{REASON}{ROW}"),
        ("tests/table.py", "(owner: User)", "(owner: User, member: User)"),
        ("tests/table.py", OBJECTS, f"    made.members.create(user=member)\n{OBJECTS}"),
    ]
    change(folder, [(f"households/{path}", old, new) for path, old, new in edits])
    run(folder, sys.executable, "manage.py", "makemigrations", "households")
    return folder


def test_household_outlives_its_owner(site: Path) -> None:
    attack(site, "(200, None)")
    run_tests(site, *ASKED)
    run_tests(site, CONTROL)


def attack(site: Path, expected: str) -> None:
    test = site / "households" / "tests" / "test_members.py"
    test.write_text(ATTACK.replace("EXPECTED", expected), encoding="utf-8")
    run_tests(site, "households/tests/test_members.py")


def failure_of(site: Path, *tests: str) -> str:
    with pytest.raises(AssertionError) as failure:
        run_tests(site, *tests)
    return str(failure.value)


def test_owner_whom_members_rely_on_is_named_and_stays(site: Path) -> None:
    """The guard names the key. The page refuses what it would take."""
    taking = FORGETTING.replace("SET_NULL", "CASCADE")
    change(site, [("households/models.py", FORGETTING, taking)])
    keys = "Member.household and Household.owner"
    found = failure_of(site, *ASKED)
    assert f"Member that names another person goes with an account by {keys}" in found
    assert "set SET_NULL or PROTECT on Household.owner" in found
    test = "households/tests/test_members.py::test_members_keep_the_household"
    code = ATTACK.replace("EXPECTED", "(409, user)")
    (site / test.partition("::")[0]).write_text(code, encoding="utf-8")
    run_tests(site, test)
    run_tests(site, CONTROL)


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        (
            "Household.objects.filter(owner=instance).delete()",
            "Household, which others share, is gone",
        ),
        (
            "Household.objects.create(title=instance.email)",
            "Household.title has something of a deleted person",
        ),
        (
            'Household.objects.update(title="A household")',
            "does not see Household.title on /households/<pk>/ any more",
        ),
    ],
)
def test_control_finds_what_is_lost_and_what_is_left(
    action: str, fault: str, site: Path
) -> None:
    """No key says it: a receiver takes what others share, or keeps what is theirs."""
    models = site / "households" / "models.py"
    code = RECEIVER.replace("DO", action)
    text = "".join(SIGNALS) + models.read_text("utf-8") + code
    models.write_text(text, encoding="utf-8")
    assert fault in failure_of(site, CONTROL)
