"""The rule that publishes, and the review in the admin."""

import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import localize
from pytest_django import Settings

from secure_django.photos.admin import PhotoAdmin
from secure_django.photos.models import WAITING, Photo, PhotoQuerySet, Status, Verdict
from secure_django.photos.moderation.rules import MANUAL, VerdictValue, decide
from secure_django.photos.services import apply_verdicts, delete_photo, review_photo
from secure_django.testing import HTTPSClient, Login, MakePhoto, MakeUser
from users.models import User

QUEUE = "/admin/secure_django_photos/photo/"


def page(photo: Photo) -> str:
    return f"{QUEUE}{photo.pk}/change/"


def messages_of(response: Any) -> list[str]:
    """Return the messages that the response shows, or that the next page will show."""
    return [message.message for message in get_messages(response.wsgi_request)]


@pytest.mark.control("moderation")
def test_published_only_if_all_kinds_or_a_reviewer_approved() -> None:
    for manual, first, second in product([None, *Verdict.Result.values, "?"], repeat=3):
        verdicts = {"manual": manual, "first": first, "second": second}
        results = {
            kind: result for kind, result in verdicts.items() if result is not None
        }
        status = decide(results)
        distinct_results = set(results.values())
        if manual == "approved" or distinct_results == {"approved"}:
            assert status == Status.APPROVED, results
        elif "rejected" in distinct_results:
            assert status == Status.REJECTED, results
        else:
            is_pending = distinct_results in ({"pending"}, {"approved", "pending"})
            expected = Status.PENDING if is_pending else Status.REVIEW
            assert status == expected, results


@pytest.mark.control("moderation")
def test_repeated_verdict_changes_nothing(make_photo: MakePhoto) -> None:
    photo = make_photo()
    verdicts = {MANUAL: VerdictValue("approved")}
    apply_verdicts(photo, verdicts)
    before = Verdict.objects.values().get()
    assert (before["result"], before["detail"]) == ("approved", "")
    apply_verdicts(photo, verdicts)
    assert Verdict.objects.values().get() == before


def test_new_decision_alone_sets_reason_and_retention(
    reviewer: User, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = make_photo()
    start = timezone.now()
    steps: list[tuple[str, list[Any], tuple[str, str, int | None]]] = [
        ("rejected", [], ("rejected", "", 0)),
        ("rejected", ["Too dark"], ("rejected", "", 0)),
        ("approved", [], ("approved", "", None)),
        ("rejected", ["Too dark"], ("rejected", "Too dark", 3)),
        ("approved", ["", reviewer], ("approved", "", None)),
        ("rejected", ["Blurred", reviewer], ("rejected", "Blurred", None)),
    ]
    for hour, (result, arguments, expected) in enumerate(steps):
        monkeypatch.setattr(
            "django.utils.timezone.now", lambda hour=hour: start + timedelta(hours=hour)
        )
        assert apply_verdicts(photo, {MANUAL: VerdictValue(result)}, *arguments)
        at = photo.auto_rejected_at and (photo.auto_rejected_at - start) // timedelta(
            hours=1
        )
        assert (photo.status, photo.reason, at) == expected
    assert not apply_verdicts(photo, {MANUAL: VerdictValue("approved")})


@pytest.mark.control("moderation")
def test_reviewer_approves_in_bulk_and_is_recorded(
    login: Login, reviewer: User, make_photo: MakePhoto
) -> None:
    photos = [make_photo(), make_photo(status=Status.REVIEW)]
    client = login(reviewer)
    list_page = client.get(QUEUE).text
    assert all(f"{photo.pk}/thumbnail/" in list_page for photo in photos)
    keys = [photo.pk for photo in photos]
    client.post(QUEUE, {"action": "approve", "_selected_action": keys})
    assert Photo.objects.approved().count() == 2
    verdicts = Verdict.objects.values_list("result", "detail", "decided_by")
    assert set(verdicts) == {("approved", "", reviewer.pk)}
    assert (
        LogEntry.objects.filter(user=reviewer, change_message="Approved").count() == 2
    )


@pytest.mark.control("moderation")
def test_reviewer_rejects_with_a_reason_for_the_owner(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    photo = make_photo(status=Status.APPROVED)
    client = login(reviewer)
    choice = {"action": "reject", "_selected_action": [photo.pk]}
    confirmation = client.post(QUEUE + "?show=all", choice)
    assert client.get(QUEUE).context["title"] == "Photos"
    assert confirmation.context["title"] == "Reject photos"
    assert 'name="reason"' in confirmation.text
    client.post(QUEUE + "?show=all", choice | {"reason": "Too blurred"})
    photo.refresh_from_db()
    assert (photo.status, photo.has_files) == (Status.REJECTED, False)
    call_command("worker", "--once")
    assert not default_storage.exists(photo.path("display"))
    assert photo.reason == "Too blurred"
    assert LogEntry.objects.filter(user=reviewer, change_message="Rejected").exists()
    review_photo(photo, reviewer, "approved")
    assert photo.status == Status.REJECTED  # without files there is nothing to publish


@pytest.mark.control("moderation")
def test_photo_page_decides_and_goes_on_to_the_next(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    first = make_photo()
    second = make_photo(status=Status.REVIEW)
    third = make_photo()
    apply_verdicts(second, {"machine": VerdictValue("unknown", "no label")})
    client = login(reviewer)
    shown = client.get(page(second)).text
    texts = [
        f"{second.pk}/display/",
        "holiday.jpg",
        user.email,
        "64 × 48",
        "no label",
        reviewer.email,
    ]
    field = ['accesskey="r"', 'autocomplete="off"', 'list="reasons"']
    assert [text for text in texts + field if text not in shown] == []
    assert f'href="{page(third)}" accesskey="s"' in shown
    response = client.post(page(second), {"approve": ""})
    assert response.headers["Location"] == page(third)
    for reason in ("", "x" * 201):  # a rejection needs a reason that its owner can read
        assert client.post(page(third), {"reason": reason}).status_code == 200
    response = client.post(page(third), {"reason": "Too dark"})
    assert response.headers["Location"] == page(first)
    response = client.post(page(first), {"approve": ""})
    assert response.headers["Location"] == QUEUE
    assert messages_of(response)[-1] == "No other photo waits for review."
    decided = Verdict.objects.filter(kind=MANUAL).order_by("photo__created_at")
    expected = [
        ("approved", "", ""),
        ("approved", "", ""),
        ("rejected", "Too dark", "Too dark"),
    ]
    assert (
        list(decided.values_list("photo__status", "photo__reason", "detail"))
        == expected
    )
    assert LogEntry.objects.filter(
        user=reviewer, object_id=third.pk, change_message="Rejected"
    ).exists()


@pytest.mark.control("V2.3.1")
@pytest.mark.control("moderation")
def test_second_decision_overwrites_nothing(
    login: Login, reviewer: User, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    client = login(reviewer)
    field = f'name="status-{photo.pk}" value="pending"'
    assert field in client.get(page(photo)).text
    chosen = {"action": "reject", "_selected_action": photo.pk}
    assert field in client.post(QUEUE + "?show=all", chosen).text
    review_photo(photo, make_user("first@example.com"), "approved")
    rejection = {"reason": "Mine", f"status-{photo.pk}": "pending"}
    for url in (page(photo), QUEUE + "?show=all", QUEUE):
        response = client.post(url, chosen | rejection)
        assert (
            messages_of(response)[-1]
            == "Photos left unchanged: 1, already decided by first@example.com."
        )
        assert response.headers["Location"] == url
    assert not review_photo(photo, reviewer, "rejected", expected_status="pending")
    photo.refresh_from_db()
    assert (photo.status, photo.has_files) == (Status.APPROVED, True)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("count", [1, 2])
def test_messages_count_what_was_decided(
    login: Login, reviewer: User, make_photo: MakePhoto, count: int, settings: Settings
) -> None:
    settings.UPLOADS_PER_HOUR = 6
    decided, gone, deleted = ([make_photo() for _ in range(count)] for _ in range(3))
    keys = [photo.pk for photo in gone]
    Photo.objects.filter(pk__in=keys).update(has_files=False)
    for photo in deleted:
        delete_photo(photo)
    client = login(reviewer)

    def numbers(photos: list[Photo], action: str, query: str = "") -> list[str]:
        chosen = {
            "action": action,
            "_selected_action": [photo.pk for photo in photos],
            "reason": "Too dark",
        }
        return re.findall(
            r"\b\d+\b|[\w.]+@example.com",
            " ".join(messages_of(client.post(QUEUE + query, chosen))),
        )

    number = str(count)
    assert numbers(decided + gone, "approve") == [number, number]
    assert numbers(deleted, "approve")[-1:] == [number]
    assert numbers(decided, "reject")[-2:] == [number, reviewer.email]
    assert numbers(decided, "reject", "?show=all")[-1:] == [number]
    assert LogEntry.objects.count() == 2 * count


def test_list_shows_photos_of_one_status_in_order(
    login: Login, user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    photos = [make_photo(status=status) for status in Status.values]
    pending, review, approved, rejected, _ = photos
    Photo.objects.filter(pk=rejected.pk).update(has_files=False, reason="Too dark")
    client = login(reviewer)
    queries = ["?", "?show=approved", "?show=rejected", "?show=all"]
    for number, found in enumerate(
        ([pending, review], [approved], [rejected], photos[3::-1])
    ):
        response = client.get(QUEUE + queries[number])
        changelist = response.context["cl"]
        assert list(changelist.result_list) == found
        assert changelist.full_result_count is None  # counts no photo that is not shown
        choices = list(changelist.filter_specs[0].choices(changelist))
        assert [choice["query_string"] for choice in choices] == queries
        assert [choice["selected"] for choice in choices] == [
            query == queries[number] for query in queries
        ]
        assert len({choice["display"] for choice in choices}) == 4
        content = response.text
        for photo in found:
            assert content.count(page(photo)) == 2
            assert (f"{photo.pk}/thumbnail/" in content) is (photo != rejected)
            date = localize(timezone.localtime(photo.created_at))
            assert all(
                str(text) in content
                for text in (user.email, photo.get_status_display(), photo.reason, date)
            )


def test_list_marks_photos_that_wait_for_too_long(settings: Settings) -> None:
    show = PhotoAdmin(Photo, admin.site).waiting
    limit = timezone.now() - timedelta(hours=settings.MODERATION_STUCK_HOURS)
    for status, minutes in product(Status.values, (-1, 1)):
        photo = Photo(status=status, created_at=limit + timedelta(minutes=minutes))
        date = localize(timezone.localtime(photo.created_at))
        assert show(photo).startswith(date)
        assert (show(photo) != date) is (minutes == -1 and status in WAITING)


def test_superuser_cannot_add_or_delete_photos(
    login: Login, make_user: MakeUser, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    client = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    for url in (f"{QUEUE}add/", f"{QUEUE}{photo.pk}/delete/"):
        assert client.post(url, {"post": "yes"}).status_code == 403
    delete_photo(photo)
    response = client.get(page(photo))
    assert response.headers["Location"] == QUEUE
    assert len(messages_of(response)) == 1


def test_bulk_decision_has_a_ceiling(
    login: Login, reviewer: User, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PhotoAdmin.list_per_page <= PhotoAdmin.list_max_show_all <= 100
    monkeypatch.setattr(PhotoAdmin, "list_per_page", 1)
    chosen = {
        "action": "reject",
        "_selected_action": [make_photo().pk, make_photo().pk],
        "reason": "Too dark",
    }
    assert messages_of(login(reviewer).post(QUEUE, chosen))[0] == "Photos rejected: 1."
    assert Photo.objects.waiting().count() == 1


@pytest.mark.control("V2.2.1")
@pytest.mark.control("moderation")
def test_malformed_selection_decides_nothing(
    login: Login, reviewer: User, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    client = login(reviewer)
    for selected in (["foo"], ["foo", photo.pk]):
        for across in ("0", "1"):
            fields = {
                "action": "approve",
                "_selected_action": selected,
                "select_across": across,
            }
            assert client.post(QUEUE, fields).status_code == 400
    assert not Photo.objects.approved().exists()


@pytest.mark.control("V3.5.3")
def test_link_or_other_site_decides_nothing(
    client: HTTPSClient, reviewer: User, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    client.force_login(reviewer)
    assert client.get(page(photo) + "?approve=&reason=Mine").status_code == 200
    client.handler.enforce_csrf_checks = True
    assert client.post(page(photo), {"approve": ""}).status_code == 403
    photo.refresh_from_db()
    assert photo.status == Status.PENDING


@pytest.mark.control("V1.2.4")
def test_search_compares_whole_values_or_beginnings(
    login: Login,
    user: User,
    other_user: User,
    reviewer: User,
    make_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = make_photo(title="Fog in October")
    other_photo = make_photo(other_user, title="Noon")
    client = login(reviewer)
    for text, found in (
        (f" {user.email.upper()} ", {photo}),
        (user.email[1:], set()),
        (f"https://localhost/photos/{other_photo.pk}/", {other_photo}),
        (str(photo.pk), {photo}),
        ("Fog", {photo}),
        ("October", set()),
        ("Fog' OR 1=1 --", set()),
        ("", {photo, other_photo}),
    ):
        changelist = client.get(QUEUE, {"q": text}).context["cl"]
        assert set(changelist.result_list) == found, text
    monkeypatch.setattr("secure_django.photos.admin.PhotoAdmin.list_per_page", 1)
    make_photo(title="Fog in November")
    answer = client.get(QUEUE, {"q": "Fog"})
    assert len(answer.context["cl"].result_list) == 1
    assert "Type more of the title" in answer.text
    monkeypatch.undo()
    monkeypatch.setattr("secure_django.photos.admin.FirstThousand.LIMIT", 1)
    assert "This list ends here" in client.get(QUEUE).text


def test_group_may_review(
    client: HTTPSClient, make_photo: MakePhoto, make_user: MakeUser
) -> None:
    photo = make_photo()
    group = Group.objects.create(name="Editors")
    group.permissions.set(
        Permission.objects.filter(codename__in=("view_photo", "review_photo"))
    )
    editor = make_user("editor@example.com", is_staff=True)
    client.force_login(editor)
    assert client.get(f"/photos/{photo.pk}/display/").status_code == 404
    editor.groups.add(group)
    assert client.get(f"/photos/{photo.pk}/display/").status_code == 200
    assert client.get(page(photo)).status_code == 200


@pytest.mark.control("V8.2.1")
def test_staff_without_permission_cannot_review(
    login: Login,
    make_user: MakeUser,
    make_photo: MakePhoto,
    reviewer: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    photo = make_photo()
    clerk = make_user("clerk@example.com", is_staff=True)
    for url in (QUEUE, page(photo)):
        assert login(clerk).get(url).status_code == 403
    assert "authz_fail" in caplog.messages
    clerk.user_permissions.set(reviewer.user_permissions.filter(codename="view_photo"))
    for action in ("approve", "reject"):
        login(clerk).post(
            QUEUE, {"action": action, "_selected_action": [photo.pk], "reason": "Mine"}
        )
    shown = login(clerk).get(page(photo))
    assert shown.status_code == 200
    assert "Approve" not in shown.text
    for decision in ({"approve": ""}, {"reason": "Mine"}):
        assert login(clerk).post(page(photo), decision).status_code == 403
    photo.refresh_from_db()
    assert photo.status == Status.PENDING


def test_first_page_of_the_admin_tells_reviewers_how_many_photos_wait(
    login: Login,
    make_user: MakeUser,
    make_photo: MakePhoto,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_photo()
    make_photo(status=Status.APPROVED)
    index = login(reviewer).get("/admin/").text
    assert f'<a href="{QUEUE}">1 photo waits for review.</a>' in index
    monkeypatch.setattr(PhotoQuerySet, "count", lambda photos: 1001)
    assert "More than 1,000 photos wait" in login(reviewer).get("/admin/").text
    clerk = login(make_user("clerk@example.com", is_staff=True))
    with CaptureQueriesContext(connection) as queries:
        assert "for review" not in clerk.get("/admin/").text
    assert not [
        query for query in queries if "secure_django_photos_photo" in query["sql"]
    ]
