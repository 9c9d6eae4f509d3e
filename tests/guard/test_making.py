"""Which objects the guard makes, and what it does with columns that code fills."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import models, transaction
from django.test.utils import isolate_apps

from secure_django.guard.counted import counted_names, is_counted
from secure_django.guard.examples import examples
from secure_django.guard.fixtures import prepare
from secure_django.guard.keys import is_history, other_ends
from secure_django.guard.making import is_to_be_made
from tests.guard.running import edit, run_guard
from tests.guard.test_first_hour import PROJECT, append

SCHEDULED = pytest.mark.tier("scheduled", "src/secure_django/guard/*")
SHOWING = "shop/tests/test_world.py"
MODELS = """

from django.db import transaction
from tree.models import Node


def path_of(picture: models.Model, name: str) -> str:
    return f"{picture.folder.name}/{name}"


class Picture(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
    file = models.FileField(upload_to=path_of, blank=True)


class Status(models.Model):
    name = models.CharField(max_length=80)


class Letter(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    groups = models.ManyToManyField("auth.Group")
    stars = models.IntegerField(blank=True)
    total = models.IntegerField(null=True, editable=False)

    def clean(self) -> None:
        self.total = 3
        raise ValueError("No letter today.")

    @transaction.atomic(durable=True)
    def save(self, *args: object, **options: object) -> None:
        super().save(*args, **options)


class Payment(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    book = models.ForeignKey(Book, models.CASCADE, null=True, blank=True)
    item = models.ForeignKey(
        Item, models.CASCADE, null=True, blank=True, related_name="payments"
    )
    text = models.TextField()

    def save(self, *args: object, **options: object) -> None:
        if self.book and self.item:
            raise ValueError("For a book or an item.")
        super().save(*args, **options)


class Chapter(Node):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
"""
FAILING_FACTORY = """

class ChapterFactory(DjangoModelFactory):
    class Meta:
        model = "shop.Chapter"
        django_get_or_create = ["name"]  # which it has not
"""
FACTORY_FOR_ALL = """

class StatusFactory(DjangoModelFactory):
    class Meta:
        model = "shop.Status"
        django_get_or_create = ["name"]

    name = "New"
"""
TREE = """
from django.db import models


class Node(models.Model):
    path = models.CharField(max_length=255, unique=True)
    depth = models.PositiveIntegerField()
    number = models.PositiveIntegerField(editable=False)

    class Meta:
        abstract = True

    @classmethod
    def add_root(cls, instance: models.Model) -> models.Model:
        instance.depth = 1
        number = cls.objects.count() + 1
        instance.path = f"{number:04}"
        instance.save()
        return instance

    def save(self, *args: object, **options: object) -> None:
        self.number = int(self.path)
        super().save(*args, **options)
"""
SHOW_WORLD = """
from shop.models import Chapter, Letter, Status


def test_world(db, world):
    print()
    assert Status.objects.count() == 1
    assert "Status.name" not in {mark.label for mark in world.marks}
    for letter in Letter.objects.order_by("pk"):
        print("letter", letter.pk, letter.stars, letter.total, letter.groups.count())
    for chapter in Chapter.objects.order_by("pk"):
        print("chapter", chapter.path, chapter.depth, chapter.title)
"""


@isolate_apps("example")
def test_place_in_a_tree_is_counted_and_a_title_is_not() -> None:
    class Node(models.Model):
        __module__ = "pytest"  # of a package
        path = models.CharField(max_length=255)
        depth = models.PositiveIntegerField()
        numchild = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "example"
            abstract = True

        def add_child(self) -> None:
            pass

    class Titled(models.Model):
        __module__ = "pytest"
        title = models.CharField(max_length=80)
        order = models.PositiveIntegerField(editable=False)

        class Meta:
            app_label = "example"
            abstract = True

    class Page(Titled, Node):  # noqa: DJ008
        text = models.TextField()
        number = models.IntegerField()

        class Meta:
            app_label = "example"

    fields = Page._meta.concrete_fields
    counted = {field.name for field in fields if is_counted(field)}
    assert counted == {"path", "depth", "numchild", "order"}
    assert {*counted_names(Page)} == {"path", "depth", "order"}
    assert examples(Page, 1).keys() == {"title", "text", "number"}


def test_durable_block_of_a_project_runs_within_a_test(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    @transaction.atomic(durable=True)
    def number_document() -> int:
        return 1

    prepare(monkeypatch)
    with transaction.atomic():
        assert number_document() == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = shutil.copytree(PROJECT, tmp_path / "project")
    tree = project / "vendor" / "tree"
    tree.mkdir(parents=True)
    (tree / "__init__.py").touch()
    (tree / "models.py").write_text(TREE, encoding="utf-8")
    edit(
        project / "pyproject.toml", 'pythonpath = ["."]', 'pythonpath = [".", "vendor"]'
    )
    append(project / "shop/models.py", MODELS)
    append(project / "shop/factories.py", FAILING_FACTORY)
    append(project / "shop/factories.py", FACTORY_FOR_ALL)
    (project / SHOWING).write_text(SHOW_WORLD, encoding="utf-8")
    return project


def shown_by(report: str) -> list[str]:
    lines = report.splitlines()
    return [line for line in lines if line.startswith(("letter ", "chapter "))]


@SCHEDULED
def test_objects_have_what_forms_and_packages_fill(project: Path) -> None:
    report = run_guard(project, SHOWING, "-s")
    first, second, *chapters = shown_by(report)
    assert re.fullmatch(r"letter [\w-]{36} 1 3 1", first), report
    assert re.fullmatch(r"letter [\w-]{36} 1 3 1", second), report
    assert re.fullmatch(r"chapter 0001 1 m4rk\d+z<m4rk>", chapters[0]), report
    assert re.fullmatch(r"chapter 0002 1 title \d+", chapters[1]), report


@SCHEDULED
def test_keys_of_objects_are_the_same_in_each_run(project: Path) -> None:
    found = shown_by(run_guard(project, SHOWING, "-s"))
    assert len(found) == 4
    assert shown_by(run_guard(project, SHOWING, "-s")) == found


@SCHEDULED
def test_guard_asks_before_tests_that_may_leave_rows(project: Path) -> None:
    report = run_guard(project, "-v", "-k", "test_world or test_every_url_answers")
    assert SHOWING in report
    assert report.index("guard/test_table.py::") < report.index(f"{SHOWING}::")


@SCHEDULED
def test_file_that_cannot_be_stored_is_a_finding(project: Path) -> None:
    report = run_guard(project, "-k", "test_every_model_with_texts")
    assert "Picture.file of shop was not filled: AttributeError: " in report
    assert "was not made" not in report


@SCHEDULED
def test_fixture_that_cannot_be_loaded_is_one_sentence(project: Path) -> None:
    (project / "guard_table.py").write_text("FIXTURES = ['none']", encoding="utf-8")
    report = run_guard(project, "-k", "test_every_model_with_texts")
    assert "FIXTURES cannot be loaded: CommandError: No fixture named 'none'" in report
    assert "Traceback" not in report
    assert "in load_fixtures" not in report


def key_to_user() -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, related_name="+"
    )


@isolate_apps("example")
def test_history_is_not_made_and_its_keys_make_no_further_person() -> None:
    class HistoricalGrant(models.Model):  # noqa: DJ008
        id = models.IntegerField(blank=True)
        pi = key_to_user()
        history_id = models.AutoField(primary_key=True)
        history_type = models.CharField(max_length=1)
        history_user = key_to_user()

        class Meta:
            app_label = "example"

    assert is_history(HistoricalGrant)
    assert not is_to_be_made(HistoricalGrant)
    assert other_ends([HistoricalGrant]) == ()
