"""The pages of the tutorial's product, inside its project."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: INP001, SLF001

from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from secure_django.testing import PASSWORD, HTTPSClient, MakePhoto, MakeUser

pytestmark = pytest.mark.django_db


def rows(name: str) -> Any:  # noqa: ANN401 - of a model that this module cannot name
    return apps.get_model("courses", name).objects


def test_visitors_read_the_catalog_and_nothing_else(
    client: Client, make_user: MakeUser
) -> None:
    teacher = make_user("teacher@example.com")
    teacher.name = "Ann"
    teacher.save()
    course = rows("Course").create(owner=teacher, title="Wheat", text="Six evenings")
    catalog = client.get("/courses/catalog/").content.decode()
    page = client.get(f"/courses/catalog/{course.pk}/").content.decode()
    assert "Six evenings" in page
    for shown in (catalog, page):
        assert "Wheat" in shown
        assert "Ann" in shown
        assert "teacher@" not in shown
    for url in ("/courses/", course.get_absolute_url(), "/lessons/"):
        assert client.get(url).status_code == 302


def test_editor_changes_a_course_that_a_stranger_does_not_see(
    client: Client, make_user: MakeUser
) -> None:
    owner, editor, stranger = (make_user(f"{it}@example.com") for it in "abc")
    course = rows("Course").create(owner=owner, title="Wheat")
    rows("Member").create(course=course, user=editor, role="editor")
    url = course.get_absolute_url()
    for user, status in ((owner, 200), (editor, 200), (stranger, 404)):
        client.force_login(user)
        assert client.get(url).status_code == status
        assert client.get(f"{url}edit/").status_code == status


def test_lessons_belong_to_their_owner(client: Client, make_user: MakeUser) -> None:
    owner, other = (make_user(f"{it}@example.com") for it in "ab")
    for user in (owner, other):
        rows("Course").create(owner=user, title=f"Course of {user.email[0]}")
    client.force_login(owner)
    page = client.get("/lessons/create/").content.decode()
    assert "Course of a" in page
    assert "Course of b" not in page


def test_helpers_keep_the_course_of_a_deleted_owner(
    client: Client, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    owner, editor = (make_user(f"{it}@example.com") for it in "ab")
    purpose = rows("Course").model._meta.get_field("cover").purpose
    cover = make_photo(owner, purpose, status="approved")
    shared = rows("Course").create(owner=owner, title="Wheat", cover=cover)
    rows("Course").create(owner=owner, title="Rye")
    rows("Member").create(course=shared, user=editor, role="editor")
    delete_by_page(owner)
    assert [course.title for course in rows("Course").all()] == ["Wheat"]
    assert "a deleted user" in client.get("/courses/catalog/").content.decode()
    client.force_login(editor)
    assert client.get(shared.get_absolute_url()).status_code == 200
    assert client.get(f"/photos/{cover.pk}/display/").status_code == 200
    delete_by_page(editor)
    assert not rows("Course").exists()


def delete_by_page(user: Any) -> None:  # noqa: ANN401
    """Delete an account by its page."""
    client = HTTPSClient()
    client.force_login(user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.post("/accounts/delete/").status_code == 200
    assert not type(user).objects.filter(pk=user.pk).exists()
