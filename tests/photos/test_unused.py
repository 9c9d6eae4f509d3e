"""Photos whose object is gone, until the worker deletes them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from example.models import Thing
from secure_django.photos.models import Photo, Status
from secure_django.photos.purposes import PURPOSES, unused_photos
from secure_django.photos.services import review_photo
from secure_django.testing import HTTPSClient, Login, MakePhoto
from users.models import User

type MakeThing = Callable[..., Photo]

QUEUE = "/admin/secure_django_photos/photo/"
LIST_QUERIES = 7
PAGE_QUERIES = 10
LEFT = "What this photo belongs to was deleted, so there is nothing to decide."


@pytest.fixture
def make_image(make_photo: MakePhoto, user: User, settings: Settings) -> MakeThing:
    """Make a thing, and return its photo."""
    settings.UPLOADS_PER_HOUR = 100
    settings.ROOT_URLCONF = "example.urls"

    def make(**values: Any) -> Photo:
        photo = make_photo(purpose=PURPOSES["example.thing.image"], **values)
        Thing.objects.create(owner=user, title="Teal", image=photo)
        return photo

    return make


def page(photo: Photo) -> str:
    return f"{QUEUE}{photo.pk}/change/"


def messages_of(response: Any) -> list[str]:
    return [message.message for message in get_messages(response.wsgi_request)]


@pytest.mark.control("V14.2.7")
@pytest.mark.parametrize("query", ["", "?show=all", "?q=Fog", "?q={email}", "?q={pk}"])
def test_photo_whose_object_is_gone_leaves_every_list_at_once(
    query: str, login: Login, user: User, reviewer: User, make_image: MakeThing
) -> None:
    gone = make_image(title="Fog in October")
    client = login(reviewer)
    url = QUEUE + query.format(pk=gone.pk, email=user.email)
    before = client.get(url)
    assert list(before.context["cl"].result_list) == [gone]
    assert f" · {user.email}" in before.text
    Thing.objects.all().delete()
    shown = client.get(url)
    assert list(shown.context["cl"].result_list) == []
    assert f"/{gone.pk}/" not in shown.text
    assert "October" not in shown.text
    assert f" · {user.email}" not in shown.text


def test_page_of_a_photo_whose_object_is_gone_shows_nothing_of_it(
    login: Login, user: User, reviewer: User, make_image: MakeThing
) -> None:
    gone = make_image(title="Fog in October")
    client = login(reviewer)
    assert user.email in client.get(page(gone)).text
    Thing.objects.all().delete()
    for url in (page(gone), f"{QUEUE}{gone.pk}/history/"):
        response = client.get(url, follow=True)
        assert response.redirect_chain
        for text in ("October", gone.original_name, user.email):
            assert text not in response.text
    assert LEFT in client.get(page(gone), follow=True).text
    assert "1 photo waits" not in client.get("/admin/").text
    assert "0 photos wait for review." in client.get("/admin/").text
    # A text that is no id, and a photo that was never there.
    for pk in ("october", "00000000-0000-0000-0000-000000000000"):
        response = client.get(f"{QUEUE}{pk}/change/")
        assert messages_of(response)[-1] == "This photo was deleted."


@pytest.mark.control("moderation")
@pytest.mark.parametrize("decision", [{"approve": ""}, {"reason": "Too dark"}])
def test_decision_on_a_photo_whose_object_is_gone_says_so(
    decision: dict[str, str], login: Login, reviewer: User, make_image: MakeThing
) -> None:
    gone = make_image()
    client = login(reviewer)
    client.get(page(gone))
    Thing.objects.all().delete()
    response = client.post(page(gone), decision)
    assert response.headers["Location"] == QUEUE
    assert messages_of(response) == [LEFT]
    gone.refresh_from_db()
    assert gone.status == Status.PENDING


def test_decision_on_several_counts_those_whose_objects_are_gone(
    login: Login, reviewer: User, make_image: MakeThing
) -> None:
    kept, gone, decided = (make_image() for _ in range(3))
    Thing.objects.filter(image=gone).delete()
    review_photo(decided, reviewer, "approved")
    keys = [kept.pk, gone.pk, decided.pk]
    chosen = {"action": "approve", "_selected_action": keys}
    assert messages_of(login(reviewer).post(QUEUE, chosen)) == [
        "Photos approved: 1.",
        "Photos left unchanged: 1, since what they belong to was deleted.",
        f"Photos left unchanged: 1, already decided by {reviewer.email}.",
    ]
    gone.refresh_from_db()
    assert gone.status == Status.PENDING


def test_next_photo_is_one_whose_object_is_there(
    login: Login, reviewer: User, make_image: MakeThing
) -> None:
    first, gone, last = (make_image() for _ in range(3))
    Thing.objects.filter(image=gone).delete()
    client = login(reviewer)
    assert f'href="{page(last)}" accesskey="s"' in client.get(page(first)).text
    response = client.post(page(first), {"approve": ""})
    assert response.headers["Location"] == page(last)


def test_photos_of_other_purposes_stay_in_the_review(
    login: Login, reviewer: User, make_photo: MakePhoto, make_image: MakeThing
) -> None:
    plain = make_photo()  # of a purpose that is no field
    unknown = make_photo(purpose=PURPOSES["example.thing.image"])
    Photo.objects.filter(pk=unknown.pk).update(purpose="example.thing.renamed")
    shown = login(reviewer).get(QUEUE).context["cl"].result_list
    assert list(shown) == [plain, unknown]
    assert set(Photo.objects.used()) == {plain, unknown}


def test_condition_of_no_purpose_keeps_all_photos(make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert list(Photo.objects.exclude(unused_photos(()))) == [photo]
    assert not Photo.objects.filter(unused_photos(())).exists()


def test_owner_is_told_nothing_of_a_photo_whose_object_is_gone(
    reviewer: User, make_image: MakeThing, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = make_image(title="Fog")
    kept = make_image(title="Noon")
    for photo in (gone, kept):
        review_photo(photo, reviewer, "approved")
    Thing.objects.filter(image=gone).delete()
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    call_command("worker", "--once")
    (email,) = mail.outbox
    assert "Noon" in email.body
    assert "Fog" not in email.body


def test_review_takes_as_many_queries_for_each_number_of_photos(
    login: Login,
    reviewer: User,
    make_image: MakeThing,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    photo, _ = make_image(), make_image()
    client: HTTPSClient = login(reviewer)
    client.get(QUEUE)
    for _ in range(2):
        with django_assert_num_queries(LIST_QUERIES):
            client.get(QUEUE)
        with django_assert_num_queries(PAGE_QUERIES):
            client.get(page(photo))
        for _ in range(3):
            make_image()
