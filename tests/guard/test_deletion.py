"""What goes with an account: the guard asks both sides, by the ORM.

`household/` is an app of what people share, in which nothing of others goes. Here, its
keys become unsafe.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN

pytestmark = pytest.mark.tier("whole")

FORGETTING = "models.SET_NULL, null=True"
ASKED = ("-k", "deleted_account")


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which nothing of others goes with an account."""
    project = tmp_path_factory.mktemp("deletion") / "project"
    shutil.copytree(FOREIGN, project)
    shutil.copytree(FOREIGN.with_name("household"), project / "household")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('rules = ["deletion"]\n')
    names = '    "notes",\n'
    settings = project / "foreign_settings.py"
    edit(settings, names, f'{names}    "household",\n')
    return project


@pytest.fixture
def project(safe: Path, tmp_path: Path) -> Path:
    return shutil.copytree(safe, tmp_path / "project")


@pytest.fixture(scope="module")
def unsafe_report(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what the guard says if each key to people is CASCADE."""
    project = tmp_path_factory.mktemp("unsafe") / "project"
    shutil.copytree(safe, project)
    models = project / "household" / "models.py"
    edit(models, FORGETTING, "models.CASCADE, null=True")
    edit(models, "models.PROTECT", "models.CASCADE")
    return run_guard(project, *ASKED)


@pytest.mark.parametrize(
    ("model", "keys", "remedy"),
    [
        ("Member", "Member.household and Household.owner", "Household.owner"),
        ("Expense", "Expense.household and Household.owner", "Household.owner"),
        (
            "Household_guests",
            "Household_guests.household and Household.owner",
            "Household.owner",
        ),
        ("Comment", "Comment.post and Post.author", "Post.author"),
        ("Note", "Note.about and Post.author", "Post.author"),
        ("Message", "Message.thread and Thread.starter", "Thread.starter"),
        ("Message", "Message.answered and Message.sender", "Message.sender"),
        ("Transfer", "Transfer.sender", "Transfer.sender"),
        ("Transfer", "Transfer.receiver", "Transfer.receiver"),
    ],
)
def test_row_of_others_that_goes_is_named(
    model: str, keys: str, remedy: str, unsafe_report: str
) -> None:
    line = f"{model} that names another person goes with an account by {keys}"
    assert f"{line}: set SET_NULL or PROTECT on {remedy}\n" in unsafe_report


def test_advice_names_each_choice(unsafe_report: str) -> None:
    assert "set on_delete=models.SET_NULL with null=True" in unsafe_report
    assert "set PROTECT" in unsafe_report
    assert "CASCADE is for rows of one person alone" in unsafe_report
    assert "Diary that" not in unsafe_report
    assert "Invoice that" not in unsafe_report
    assert "was not made" not in unsafe_report


def test_app_that_keeps_what_others_share_is_green(safe: Path, tmp_path: Path) -> None:
    report = run_guard(safe, *ASKED, f"--guard-report={tmp_path}")
    assert "2 passed" in report
    # What people lose all the same is said, with the reason.
    line = "Like that names another person goes with an account by Like.diary and"
    assert f"{line} Diary.writer, 1 row: a like is nothing without what is" in report
    hidden = json.loads((tmp_path / "guard.json").read_text(encoding="utf-8"))["hidden"]
    entries = {entry["entry"]: entry["reason"] for entry in hidden}
    assert entries == {
        "deleted_with household.Like.diary": "a like is nothing without what is liked",
        "deleted_with household.Like.user": "a like is what one person said",
    }


def test_allowance_is_of_one_key(project: Path) -> None:
    """Without it, a person who liked something could not delete the account."""
    models = project / "household" / "models.py"
    edit(models, '        "user": "a like is what one person said",\n', "")
    report = run_guard(project, *ASKED)
    line = "Like that names another person goes with an account by Like.user"
    remedy = "set SET_NULL on Diary.writer, or name user in deleted_with"
    assert f"{line}: {remedy}\n" in report


def test_row_that_the_database_deletes_is_named(project: Path) -> None:
    """Django does not collect it, and sends no signal."""
    models = project / "household" / "models.py"
    edit(models, f"owner = models.ForeignKey(User, {FORGETTING})", "owner = OWNER")
    key = "models.ForeignKey(User, models.DB_CASCADE)"
    edit(models, "\n\n\nclass Household(", f"\n\nOWNER = {key}\n\n\nclass Household(")
    of_household = "models.ForeignKey(Household, models."
    edit(models, f"{of_household}CASCADE", f"{of_household}DB_CASCADE")
    edit(models, '    guests = models.ManyToManyField(User, related_name="+")\n', "")
    report = run_guard(project, *ASKED)
    keys = "Member.household and Household.owner"
    assert f"Member that names another person goes with an account by {keys}" in report


def test_row_that_is_handed_over_first_takes_nothing(project: Path) -> None:
    models = project / "household" / "models.py"
    kept = "models.ForeignKey(User, models.PROTECT)"
    edit(models, f"owner = models.ForeignKey(User, {FORGETTING})", f"owner = {kept}")
    report = run_guard(project, *ASKED)
    # A member could not go otherwise: the row names the owner too.
    line = "Member that names another person goes with an account by Member.user"
    assert f"{line}: set SET_NULL on Household.owner, or name user in" in report
    assert "by Member.household" not in report


def test_kept_row_hides_no_other(project: Path) -> None:
    """The account stays until the invoice is another's, and the question too."""
    models = project / "household" / "models.py"
    edit(
        models, f"starter = models.ForeignKey(User, {FORGETTING})", "starter = STARTER"
    )
    key = "models.ForeignKey(User, models.CASCADE)"
    edit(models, "\n\n\nclass Thread(", f"\n\n\nSTARTER = {key}\n\n\nclass Thread(")
    report = run_guard(project, *ASKED)
    assert "goes with an account by Message.thread and Thread.starter" in report


def test_rows_of_one_person_need_no_exception(project: Path) -> None:
    models = project / "household" / "models.py"
    page = """

class Page(models.Model):
    diary = models.ForeignKey(Diary, models.CASCADE)
    writer = models.ForeignKey(User, models.CASCADE, related_name="+")
"""
    models.write_text(models.read_text(encoding="utf-8") + page, encoding="utf-8")
    line = "Page that names another person goes with an account by Page.diary"
    assert line in run_guard(project, *ASKED)
    table = project / "household" / "tests" / "table.py"
    table.write_text('ROWS = ""\nSAME_USER = {"Page.diary"}\n', encoding="utf-8")
    assert "2 passed" in run_guard(project, *ASKED)


def test_row_of_one_person_that_stays_is_named(project: Path) -> None:
    """It has no name any more, and still what that person wrote."""
    models = project / "household" / "models.py"
    likes = "class Like(models.Model):"
    edit(models, likes, f"{likes}\n    class Meta:\n        abstract = True\n")
    edit(
        models,
        "writer = models.ForeignKey(User, models.CASCADE)",
        f"writer = models.ForeignKey(User, {FORGETTING})",
    )
    report = run_guard(project, *ASKED)
    assert "Diary stays when its owner is deleted" in report
    assert "set on_delete=models.CASCADE on the key that leads to the person" in report
    assert "Household stays" not in report


def test_row_of_others_that_cannot_be_made_is_said(project: Path) -> None:
    """Otherwise nothing would be asked about it."""
    models = project / "household" / "models.py"
    edit(models, f"author = models.ForeignKey(User, {FORGETTING})", "author = AUTHOR")
    key = "models.ForeignKey(User, models.CASCADE, related_name='+')"
    edit(models, "\n\n\nclass Note(", f"\n\n\nAUTHOR = {key}\n\n\nclass Note(")
    refusing = """
    def save(self, *args: object, **options: object) -> None:
        raise ValueError("No comments.")
"""
    edit(models, "\n\n\nclass Thread(", f"\n{refusing}\n\nclass Thread(")
    report = run_guard(project, *ASKED)
    line = "Comment of another person was not made: ValueError: No comments."
    assert line in report
