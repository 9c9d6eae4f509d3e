"""The guard runs what views enqueue, and asks about it as about the views."""

import re
import shutil
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import translation
from django.utils.translation import get_language

from example.tasks import count, deliver, greet, works
from secure_django.guard.bounds import TookTooLongError
from secure_django.guard.sentences import severity_of
from secure_django.guard.tasks import MOST, Enqueued
from secure_django.models import QueuedTask
from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN, ask_for_own

DUMMY = "django.tasks.backends.dummy.DummyBackend"  # it runs nothing
IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
TASKS = """
import logging

from django.core.mail import send_mail
from django.tasks import task

from notes.models import Note


@task
def rename(pk):
    Note.objects.filter(pk=pk).update(title="Eggs")


@task
def mail(pk, address):
    send_mail("A note", Note.objects.get(pk=pk).text, None, [address])


@task
def log(title):
    logging.getLogger("notes").warning("a title: %s", title)


@task
def count(text):
    return int(text)


@task
def visit(pk):
    rename.enqueue(pk)
"""
VIEWS = """

def note_of(request):
    text = request.POST.get("pk", "")
    pk = int(text) if text.isdecimal() else 0
    return get_object_or_404(Note, pk=pk)


@require_POST
@login_required
def rename(request):
    tasks.rename.enqueue(note_of(request).pk)
    return redirect("/notes/")


@require_POST
@login_required
def mail(request):
    tasks.mail.enqueue(note_of(request).pk, request.user.email)
    return redirect("/notes/")


@require_POST
@login_required
def log(request):
    tasks.log.enqueue(request.POST.get("title", ""))
    return redirect("/notes/")


@require_POST
@login_required
def count(request):
    tasks.count.enqueue(request.POST.get("title", "1"))
    return redirect("/notes/")


@login_required
def visit(request, pk):
    note = get_object_or_404(Note, pk=pk, author=request.user)
    tasks.visit.enqueue(note.pk)
    return redirect("/notes/")


@require_POST
@login_required
def give_up(request):
    try:
        with transaction.atomic():
            tasks.rename.enqueue(note_of(request).pk)
            raise ValueError
    except ValueError:
        return redirect("/notes/")
"""
ROUTES = """\
    path("rename/", views.rename),
    path("mail/", views.mail),
    path("log/", views.log),
    path("count/", views.count),
    path("<int:pk>/visit/", views.visit),
    path("give-up/", views.give_up),
]
"""
ROWS = """\
/notes/rename/           log-in 404  404  404
/notes/mail/             log-in 404  404  404
/notes/log/              log-in away away away
/notes/count/            log-in away away away
/notes/<pk>/visit/       log-in away 404  404
/notes/give-up/          log-in 404  404  404
"""
RULES = 'rules = ["emails", "errors", "limits", "logs"]\n'
FINDINGS = {
    "POST /notes/rename/ changes Note of the owner (other)",
    "POST /notes/mail/ sends Note.text to others (other)",
    "POST /notes/log/ logs what a user sent: log ids only",
    "POST /notes/count/ may be repeated without end: it needs a rate limit",
    "check what a user sends before it is enqueued (other)\n",
    "GET /notes/<pk>/visit/ changes Note (in rename of notes/tasks.py): do so by POST",
}


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose views enqueue tasks."""
    project = shutil.copytree(FOREIGN, tmp_path / "foreign")
    ask_for_own(project)
    notes = project / "notes"
    (notes / "tasks.py").write_text(TASKS, encoding="utf-8")
    imports = "from django.db import transaction\n\nfrom notes import tasks\n"
    edit(notes / "views.py", "from notes.models", f"{imports}from notes.models")
    append(notes / "views.py", VIEWS)
    edit(notes / "urls.py", "]\n", ROUTES)
    last_row = "/notes/<pk>/delete/      log-in away 404  404\n"
    edit(notes / "tests" / "table.py", last_row, last_row + ROWS)
    append(project / "pyproject.toml", RULES)
    return project


def use(backend: str, project: Path) -> None:
    tasks = {"default": {"BACKEND": backend}}
    append(project / "foreign_settings.py", f"TASKS = {tasks}\n")


@pytest.mark.tier("whole")
@pytest.mark.parametrize("backend", [DUMMY, IMMEDIATE])
def test_what_a_task_does_is_asked_like_what_its_view_does(
    backend: str, project: Path
) -> None:
    use(backend, project)
    report = run_guard(project)
    assert not [finding for finding in FINDINGS if finding not in report]
    # By an odd value, whoever sends it.
    assert re.search(r"^POST /notes/count/ enqueues .+ enqueued$", report, re.MULTILINE)
    assert "/notes/give-up/ " not in report  # its transaction is undone


@pytest.mark.tier("whole")
def test_tasks_and_views_that_are_safe_have_no_finding(project: Path) -> None:
    use(DUMMY, project)
    views = project / "notes" / "views.py"
    edit(views, "(Note, pk=pk)", "(Note, pk=pk, author=request.user)")
    edit(
        views, "@login_required\ndef visit", "@require_POST\n@login_required\ndef visit"
    )
    tasks = project / "notes" / "tasks.py"
    edit(tasks, '"a title: %s", title', '"a title of %d letters", len(title)')
    edit(tasks, "return int(text)", "return len(text)")
    edit(project / "pyproject.toml", '"limits", ', "")
    report = run_guard(project)
    assert " passed" in report
    assert " failed" not in report


def run(enqueue: Any) -> Enqueued:
    """Return what the guard says of a request that enqueues tasks."""
    enqueued = Enqueued()
    with enqueued.kept():
        enqueue()
    enqueued.run()
    return enqueued


def test_task_has_neither_the_language_nor_a_context_variable_of_its_page(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    variable = ContextVar("variable", default="of no page")
    monkeypatch.setitem(
        works, "deliver", lambda: seen.append((get_language(), variable.get()))
    )
    variable.set("of a page")
    with translation.override("de"):
        run(deliver.enqueue)
        assert seen == [("en", "of no page")]
        assert get_language() == "de"


def test_task_gets_its_arguments_and_its_context(db: None) -> None:
    enqueued = run(lambda: count.enqueue(3))
    assert len(enqueued.results) == 1
    assert not enqueued.failures


def test_what_is_undone_was_not_enqueued(db: None) -> None:
    def enqueue() -> None:
        with transaction.atomic():
            deliver.enqueue()
            transaction.set_rollback(True)

    assert not run(enqueue).results


def test_task_that_enqueues_itself_comes_to_an_end(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def enqueue_again() -> None:
        calls.append(deliver.enqueue())

    monkeypatch.setitem(works, "deliver", enqueue_again)
    run(deliver.enqueue)
    assert len(calls) == MOST


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            KeyError,
            r"enqueues a task that fails \(KeyError in .*\bfail of .+\): repair",
        ),
        (TookTooLongError, "enqueues a task that calculates for over 10 seconds: let"),
    ],
)
def test_error_of_a_task_is_a_finding_and_undoes_no_other(
    error: type[Exception],
    sentence: str,
    db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setitem(works, "deliver", fail)

    def enqueue() -> None:
        deliver.enqueue()
        greet.enqueue(1)

    enqueued = run(enqueue)
    [failure] = enqueued.failures
    assert re.match(sentence, failure.sentence)
    assert severity_of(failure.sentence).name == "errors"


def test_failed_query_of_a_task_ends_no_transaction(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    monkeypatch.setitem(works, "deliver", fail)
    [failure] = run(deliver.enqueue).failures
    assert failure.error is OperationalError
    assert not QueuedTask.objects.filter(name="nothing").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no CPU time")
def test_task_that_calculates_without_end_is_stopped(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calculate() -> None:
        while True:
            pass

    monkeypatch.setitem(works, "deliver", calculate)
    enqueued = Enqueued(seconds=1)
    with enqueued.kept():
        deliver.enqueue()
    enqueued.run()
    assert [failure.took_too_long for failure in enqueued.failures] == [True]
