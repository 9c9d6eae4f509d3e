"""Each page shows users only what is their own."""

import pytest
from pytest_django import Settings
from secure_django.testing import HTTPSClient, Login

from courses.models import Course
from lessons.forms import LessonForm
from lessons.models import Lesson
from users.models import User

FIELDS = {"title": "Milk", "text": "two bottles"}


@pytest.fixture
def made(user: User) -> Lesson:
    """Return an object of `user`."""
    return Lesson.objects.create(owner=user, **FIELDS)


def test_owner_adds_edits_and_deletes(login: Login, user: User) -> None:
    client = login(user)
    hostile = FIELDS | {"title": "<script>Milk"}
    url = client.post("/lessons/create/", hostile).headers["Location"]
    page = client.get(url)
    assert "Saved." in page.content.decode()
    assert "&lt;script&gt;Milk" in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert client.post(f"{url}edit/", {"title": "Bread"}).headers["Location"] == url
    index = client.get("/lessons/?q=BREAD&order=-title").content.decode()
    assert f'<a href="{url}">Bread</a>' in index
    assert f'<a href="{url}">' not in client.get("/lessons/?q=milk").content.decode()
    link = '<a href="/lessons/" aria-current="page">'
    assert f"{link}Lessons</a>" in index
    client.post(f"{url}delete/")
    assert not Lesson.objects.exists()


def test_course_of_another_user_cannot_be_chosen(
    login: Login, user: User, other_user: User
) -> None:
    own_course = Course.objects.create(owner=user)
    others_course = Course.objects.create(owner=other_user)
    client = login(user)
    for chosen, status in ((others_course, 200), (own_course, 302)):
        data = FIELDS | {"course": chosen.pk}
        assert client.post("/lessons/create/", data).status_code == status
    assert Lesson.objects.get().course == own_course


def test_anonymous_visitor_is_sent_to_log_in(client: HTTPSClient, made: Lesson) -> None:
    url = made.get_absolute_url()
    for page in ("/lessons/", "/lessons/create/", url, f"{url}edit/", f"{url}delete/"):
        assert (
            client.post(page, {"title": "Taken"}).headers["Location"]
            == f"/accounts/login/?next={page}"
        )
    assert Lesson.objects.get().title == "Milk"


def test_another_user_finds_nothing(
    login: Login, other_user: User, made: Lesson
) -> None:
    client, url = login(other_user), made.get_absolute_url()
    assert "Milk" not in client.get("/lessons/").content.decode()
    assert client.get(url).status_code == client.get(f"{url}edit/").status_code == 404
    for page in (f"{url}edit/", f"{url}delete/"):
        assert client.post(page, {"title": "Taken"}).status_code == 404
    assert Lesson.objects.get().title == "Milk"


def test_form_sets_only_its_own_fields(
    login: Login, user: User, other_user: User, made: Lesson
) -> None:
    more = {
        "owner": other_user.pk,
        "owner_id": other_user.pk,
        "id": 4711,
        "pk": 4711,
        "created_at": "2000-01-01",
    }
    client = login(user)
    for page in ("/lessons/create/", f"{made.get_absolute_url()}edit/"):
        client.post(page, FIELDS | more)
    assert (
        Lesson.objects.filter(
            owner=user, pk__lt=4711, created_at__year__gt=2000
        ).count()
        == 2
    )


def test_form_without_a_token_and_deletion_by_a_link_are_refused(
    user: User, made: Lesson
) -> None:
    client = HTTPSClient(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/lessons/create/", FIELDS).status_code == 403
    # The page only asks.
    assert client.get(f"{made.get_absolute_url()}delete/").status_code == 200
    assert Lesson.objects.count() == 1


def test_number_of_new_objects_in_an_hour_is_limited(
    login: Login, user: User, other_user: User
) -> None:
    client = login(user)
    responses = [client.post("/lessons/create/", FIELDS) for _ in range(31)]
    assert [response.status_code for response in responses] == [302] * 30 + [429]
    assert int(responses[30].headers["Retry-After"]) <= 3600
    assert client.get("/lessons/create/").status_code == 200
    assert login(other_user).post("/lessons/create/", FIELDS).status_code == 302


def test_number_of_objects_of_a_user_is_limited(
    login: Login,
    user: User,
    other_user: User,
    made: Lesson,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LessonForm, "most_per_owner", 1)
    client = login(user)
    page = client.post("/lessons/create/", FIELDS).content.decode()
    assert "You have reached the limit of 1: delete one to add another." in page
    url = made.get_absolute_url()
    assert client.post(f"{url}edit/", FIELDS).headers["Location"] == url
    assert login(other_user).post("/lessons/create/", FIELDS).status_code == 302
    assert Lesson.objects.count() == 2


def test_nothing_is_added_while_the_cache_is_down(
    login: Login, user: User, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "secure_django.testing.DeadCache"}}
    assert login(user).post("/lessons/create/", FIELDS).status_code == 503
    assert not Lesson.objects.exists()
