"""Each page shows users only what is their own."""

import pytest
from pytest_django import Settings
from secure_django.testing import HTTPSClient, Login

from courses.forms import CourseForm
from courses.models import Course
from users.models import User

FIELDS = {
    "title": "Milk",
    "start": "2026-02-03",
    "price": "12.50",
    "level": "beginner",
    "text": "two bottles",
}


@pytest.fixture
def made(user: User) -> Course:
    """Return an object of `user`."""
    return Course.objects.create(owner=user, **FIELDS)


def test_owner_adds_edits_and_deletes(login: Login, user: User) -> None:
    client = login(user)
    hostile = FIELDS | {"title": "<script>Milk"}
    url = client.post("/courses/create/", hostile).headers["Location"]
    page = client.get(url)
    assert "Saved." in page.content.decode()
    assert "&lt;script&gt;Milk" in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert client.post(f"{url}edit/", {"title": "Bread"}).headers["Location"] == url
    index = client.get("/courses/?q=BREAD&order=-title").content.decode()
    assert f'<a href="{url}">Bread</a>' in index
    assert f'<a href="{url}">' not in client.get("/courses/?q=milk").content.decode()
    link = '<a href="/courses/" aria-current="page">'
    assert f"{link}Courses</a>" in index
    client.post(f"{url}delete/")
    assert not Course.objects.exists()


def test_anonymous_visitor_is_sent_to_log_in(client: HTTPSClient, made: Course) -> None:
    url = made.get_absolute_url()
    for page in ("/courses/", "/courses/create/", url, f"{url}edit/", f"{url}delete/"):
        assert (
            client.post(page, {"title": "Taken"}).headers["Location"]
            == f"/accounts/login/?next={page}"
        )
    assert Course.objects.get().title == "Milk"


def test_another_user_finds_nothing(
    login: Login, other_user: User, made: Course
) -> None:
    client, url = login(other_user), made.get_absolute_url()
    assert "Milk" not in client.get("/courses/").content.decode()
    assert client.get(url).status_code == client.get(f"{url}edit/").status_code == 404
    for page in (f"{url}edit/", f"{url}delete/"):
        assert client.post(page, {"title": "Taken"}).status_code == 404
    assert Course.objects.get().title == "Milk"


def test_form_sets_only_its_own_fields(
    login: Login, user: User, other_user: User, made: Course
) -> None:
    more = {
        "owner": other_user.pk,
        "owner_id": other_user.pk,
        "id": 4711,
        "pk": 4711,
        "created_at": "2000-01-01",
    }
    client = login(user)
    for page in ("/courses/create/", f"{made.get_absolute_url()}edit/"):
        client.post(page, FIELDS | more)
    assert (
        Course.objects.filter(
            owner=user, pk__lt=4711, created_at__year__gt=2000
        ).count()
        == 2
    )


def test_form_without_a_token_and_deletion_by_a_link_are_refused(
    user: User, made: Course
) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/courses/create/", FIELDS).status_code == 403
    # The page only asks.
    assert client.get(f"{made.get_absolute_url()}delete/").status_code == 200
    assert Course.objects.count() == 1


def test_number_of_new_objects_in_an_hour_is_limited(
    login: Login, user: User, other_user: User
) -> None:
    client = login(user)
    responses = [client.post("/courses/create/", FIELDS) for _ in range(31)]
    assert [response.status_code for response in responses] == [302] * 30 + [429]
    assert int(responses[30].headers["Retry-After"]) <= 3600
    assert client.get("/courses/create/").status_code == 200
    assert login(other_user).post("/courses/create/", FIELDS).status_code == 302


def test_number_of_objects_of_a_user_is_limited(
    login: Login,
    user: User,
    other_user: User,
    made: Course,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CourseForm, "most_per_owner", 1)
    client = login(user)
    page = client.post("/courses/create/", FIELDS).content.decode()
    assert "You have reached the limit of 1: delete one to add another." in page
    url = made.get_absolute_url()
    assert client.post(f"{url}edit/", FIELDS).headers["Location"] == url
    assert login(other_user).post("/courses/create/", FIELDS).status_code == 302
    assert Course.objects.count() == 2


def test_nothing_is_added_while_the_cache_is_down(
    login: Login, user: User, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    assert login(user).post("/courses/create/", FIELDS).status_code == 503
    assert not Course.objects.exists()
