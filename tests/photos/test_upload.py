"""The upload form, the quota, and where files are stored."""

import errno
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django import forms
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from secure_django.photos import images, limits
from secure_django.photos.images import ReencodedImage, retry_after
from secure_django.photos.models import Photo, Status
from secure_django.photos.moderation.backends import get_moderation_backend
from secure_django.photos.services import delete_photo
from secure_django.testing import (
    HANG_SECONDS,
    Login,
    MakeImage,
    MakePhoto,
    Upload,
    wait_until,
)
from secure_django.testing.photos import read_image
from tests.events import fields_of
from tests.photos.conftest import ADD
from users.models import User


def stored(media: Path) -> list[str]:
    paths = [path for path in media.rglob("*") if path.is_file()]
    return sorted(path.relative_to(media).as_posix() for path in paths)


def codes(response: Any) -> list[str | None]:
    errors_of_fields = response.context["form"].errors.as_data().values()
    return [error.code for errors in errors_of_fields for error in errors]


def record_places(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...]]:
    places: list[tuple[float, ...]] = []

    def decoder(*place: float) -> AbstractContextManager[None]:
        places.append(place)
        return nullcontext()

    monkeypatch.setattr(limits, "decoder", decoder)
    return places


@pytest.mark.control("V5.3.2")
@pytest.mark.control("V5.4.2")
@pytest.mark.parametrize(
    "name", ["holiday.jpg", "../../etc/cron.d/evil.jpg", "CON.jpg"]
)
def test_accepted_photo_is_stored_under_a_generated_name(
    login: Login, user: User, upload: Upload, media: Path, name: str
) -> None:
    response = upload(login(user), name=name)
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    photo = Photo.objects.get()
    assert photo.status == Status.PENDING
    assert photo.owner == user
    assert photo.title == "Teal"
    assert photo.original_name == name.rsplit("/", maxsplit=1)[-1]
    assert photo.display_size == default_storage.size(photo.path("display"))
    verdicts = set(photo.verdicts.values_list("kind", "result"))
    assert verdicts == {(kind, "pending") for kind in get_moderation_backend().kinds()}
    paths = [photo.path("display"), photo.path("thumbnail")]
    assert stored(media) == paths
    modes = [path.stat().st_mode for path in media.rglob("*")]
    assert os.name == "nt" or all(mode & 0o77 == 0 for mode in modes)
    with default_storage.open(photo.path("display")) as file:
        display = read_image(file.read())
    assert (photo.width, photo.height) == display.size


@pytest.mark.control("V1.3.11")
def test_title_of_a_photo_is_one_line(login: Login, user: User, upload: Upload) -> None:
    upload(login(user), title="Teal\r\nSubject: forged\x1b\x85\u2028é 👩‍🔧")
    assert Photo.objects.get().title == "Teal Subject: forged é 👩‍🔧"
    assert "Retry-After" not in upload(login(user), title="x" * 999).headers


@pytest.mark.control("V1.3.11")
@pytest.mark.django_db
def test_model_refuses_a_title_of_several_lines() -> None:
    with pytest.raises(ValidationError) as refusal:
        Photo(title="Teal\nSubject: forged").full_clean()
    assert "title" in refusal.value.message_dict


@pytest.mark.control("V5.2.2")
@pytest.mark.control("V16.3.3")
def test_refused_file_is_logged_and_changes_nothing(
    login: Login,
    user: User,
    upload: Upload,
    media: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = upload(
        login(user),
        b"<script>alert(1)</script>",
        name="private-name.jpg",
        title="private title",
    )
    assert (response.status_code, "Retry-After" in response.headers) == (200, False)
    assert list(response.context["form"].errors) == ["image"]
    assert "Only JPEG, PNG and WebP" in response.text
    assert not Photo.objects.exists()
    assert not stored(media)
    (refusal,) = fields_of(caplog, "upload_validation")
    assert refusal["code"] == "unsupported_type"
    assert "private" not in caplog.text


@pytest.mark.control("V2.2.2")
@pytest.mark.control("V5.2.1")
def test_too_large_file_is_refused_and_the_title_kept(
    login: Login, user: User, upload: Upload, settings: Settings
) -> None:
    settings.UPLOAD_MAX_BYTES = 2 * 1024**2
    response = upload(login(user), b"x" * 3_000_000, title="Kept title")
    assert response.status_code == 413
    assert codes(response) == ["too_large"]
    assert "2 MB" in response.text
    assert 'value="Kept title"' in response.text


@pytest.mark.control("V5.2.1")
@pytest.mark.parametrize("content", [b"GIF89a", b"\xff\xd8damaged"])
def test_refused_file_does_not_stay_in_memory(
    content: bytes, login: Login, user: User, upload: Upload
) -> None:
    form = upload(login(user), content).context["form"]
    (error,) = form.errors.as_data()["image"]
    assert error.__traceback__ is None


@pytest.mark.control("V5.2.1")
def test_any_form_refuses_a_file_over_the_limit_and_keeps_the_rest(
    rf: RequestFactory, settings: Settings
) -> None:
    class PlanForm(forms.Form):
        first = forms.CharField()
        last = forms.CharField()
        plan = forms.FileField()
        cover = forms.FileField()

    settings.UPLOAD_MAX_BYTES = 100_000
    files = {
        "plan": SimpleUploadedFile("plan.pdf", b"x" * 100_001),
        "cover": SimpleUploadedFile("a.pdf", b"x" * 100_000),
    }
    request = rf.post("/", {"first": "1", **files, "last": "2"})
    form = PlanForm(request.POST, request.FILES)
    assert form.errors.as_data()["plan"][0].code == "too_large"
    assert form.cleaned_data == {
        "first": "1",
        "last": "2",
        "cover": request.FILES["cover"],
    }
    # Nor does a view without a form take it for a file.
    refused: Any = request.FILES["plan"]
    for use in (
        refused.read,
        refused.chunks,
        refused.open,
        lambda: refused.size,
        lambda: list(refused),
    ):
        with pytest.raises(ValidationError):
            use()
    assert refused.file.closed
    request.close()


@pytest.mark.control("V5.2.4")
def test_quota_counts_deleted_photos_too(
    login: Login, user: User, upload: Upload, settings: Settings
) -> None:
    settings.UPLOADS_PER_HOUR = 2
    client = login(user)
    upload(client)
    delete_photo(Photo.objects.get())
    upload(client)
    response = upload(client, b"\xff\xd8 never decoded")
    assert (response.status_code, codes(response)) == (429, ["quota"])
    assert "limit of photos in one hour: 2." in response.text
    assert Photo.objects.count() == 2
    for minutes, status in ((59, 429), (61, 302)):
        created_at = timezone.now() - timedelta(minutes=minutes)
        Photo.objects.update(created_at=created_at)
        assert upload(client).status_code == status


@pytest.mark.control("V5.2.4")
def test_photo_over_the_quota_leaves_no_files(
    make_photo: MakePhoto, media: Path, settings: Settings
) -> None:
    settings.UPLOADS_PER_HOUR = 0
    with pytest.raises(ValidationError, match="in one hour: 0"):
        make_photo()
    assert not stored(media)


@pytest.mark.control("V15.2.2")
def test_busy_site_keeps_the_title_and_counts_nothing(
    login: Login,
    user: User,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = login(user)
    monkeypatch.setattr(limits.decoding, "wait_seconds", 0)
    with limits.decoder():
        response = upload(client, title="Kept title")
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "10"
        assert codes(response) == ["busy"]
        assert 'value="Kept title"' in response.text
        # So that upload.js keeps the file.
        assert list(response.context["form"].errors) == ["__all__"]
    assert "ERROR" not in {record.levelname for record in caplog.records}
    assert limits.decoding.waiting == []
    assert limits.seconds_used(f"decoded:{user.pk}") == {}
    places = record_places(monkeypatch)
    assert upload(client).status_code == 302
    assert places == [(0, 0, True)]  # the user came back before Retry-After
    seconds = sum(limits.seconds_used(f"decoded:{user.pk}").values())
    assert 0 < seconds < images.CPU_SECONDS


@pytest.mark.control("V15.2.2")
def test_of_those_that_wait_who_used_least_is_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits.decoding, "wait_seconds", HANG_SECONDS)
    order: list[str] = []

    def decode(name: str, *used: float) -> None:
        try:
            with limits.decoder(*used):
                order.append(name)
        except ValidationError as error:
            order.append(f"{name} {error.code}")

    def have_come(number: int) -> bool:
        return len(limits.decoding.waiting) + len(order) >= number

    waiting = {"heavy": (5, 0), "crowded": (0, 9), "quiet": (0, 0.5), "late": (0, 9)}
    with ThreadPoolExecutor() as threads, limits.decoder():
        for number, (name, used) in enumerate(waiting.items(), 1):
            threads.submit(decode, name, *used)
            wait_until(partial(have_come, number))
    assert order == ["heavy busy", "late busy", "quiet", "crowded"]


@pytest.mark.control("V15.2.2")
def test_upload_waits_and_decodes_no_longer_than_the_server_may_take_to_end(
    make_image: MakeImage,
    user: User,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.GRACE_SECONDS = limits.RESERVED_SECONDS + 1
    monkeypatch.setattr(limits.decoding, "wait_seconds", HANG_SECONDS)
    monkeypatch.setattr(images, "WALL_SECONDS", HANG_SECONDS)
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    images.DECODER.write_text(f"import time; time.sleep({HANG_SECONDS})")
    with (
        limits.decoder(),
        pytest.raises(ValidationError) as waited,
        limits.decoding_turn(user),
    ):
        pass
    refusals = [waited.value]
    with limits.decoding_turn(user, photos=2) as used:
        for _ in range(2):  # one deadline for both
            with pytest.raises(ValidationError) as decoded:
                images.validate_and_reencode(make_image(), used)
            refusals.append(decoded.value)
    assert {error.code for error in refusals} == {"busy"}
    assert all(map(images.retry_after, refusals))
    assert images.decoding_ends_at.get() == math.inf


@pytest.mark.control("V15.2.2")
@pytest.mark.parametrize(
    ("content", "code"), [(b"GIF89a", "unsupported_type"), (b"", "empty")]
)
def test_file_that_is_no_photo_takes_no_turn(
    content: bytes, code: str, login: Login, user: User, upload: Upload
) -> None:
    with limits.decoder():
        assert codes(upload(login(user), content)) == [code]


@pytest.mark.control("V15.2.2")
def test_decoding_is_charged_to_account_and_network(
    login: Login,
    user: User,
    other_user: User,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spent(key: object) -> float:
        return sum(limits.seconds_used(f"decoded:{key}").values())

    places = record_places(monkeypatch)
    expected = []
    limits.charge(f"decoded:{user.pk}", {}, 2.5)
    limits.charge("decoded:2001:db8::/64", {}, 3.5)
    for owner, ip, network in (
        (user, "::ffff:192.0.2.1", "192.0.2.1/32"),
        (user, "2001:db8::1:0:0:1", "2001:db8::/64"),
        (other_user, "2001:db8::2:0:0:2", "2001:db8::/64"),
    ):
        expected.append((int(spent(owner.pk)), int(spent(network)), False))
        client = login(owner)
        client.defaults["REMOTE_ADDR"] = ip
        assert upload(client).status_code == 302
    first = spent("192.0.2.1/32")
    second = spent(user.pk) - 2.5 - first
    assert min(first, second, spent(other_user.pk)) > 0
    assert spent("2001:db8::/64") == pytest.approx(3.5 + second + spent(other_user.pk))
    assert expected[0] == (2, 0, False)
    assert places == expected


@pytest.mark.control("V15.2.2")
def test_account_has_one_upload_at_a_time(
    login: Login, user: User, other_user: User, upload: Upload, make_image: MakeImage
) -> None:
    with limits.decoding_turn(other_user, photos=2):
        charges = cache.get(f"decoded:{other_user.pk}").values()
        assert list(charges) == [2 * images.CPU_SECONDS]
        limits.decoding.is_taken = False  # as if it ran in another process
        assert upload(login(user)).status_code == 302
        response = upload(login(other_user))
        limits.decoding.is_taken = True
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "5"
    assert codes(response) == ["in_progress"]
    assert upload(login(other_user)).status_code == 302


@pytest.fixture
def shared_cache(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache that threads share, without the transaction of the test."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid4().hex}}
    monkeypatch.setattr(limits, "RENEW_SECONDS", 0.01)


@pytest.mark.control("V15.2.2")
@pytest.mark.usefixtures("shared_cache")
def test_lock_of_an_account_ends_with_its_process(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"upload:{user.pk}"
    monkeypatch.setattr(limits, "Thread", Mock())  # which ends with a process
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    with limits.locked_account(user):
        with pytest.raises(ValidationError), limits.locked_account(user):
            pass
        now += 5
        with limits.locked_account(user):
            held = cache.get(key)
    assert held
    first, second = ExitStack(), ExitStack()
    first.enter_context(limits.locked_account(user))
    now += 5
    second.enter_context(limits.locked_account(user))
    held = cache.get(key)
    first.close()  # it has lost its lock to the second one
    assert cache.get(key) == held
    second.close()
    assert cache.get(key) is None


@pytest.mark.control("V15.2.2")
@pytest.mark.usefixtures("shared_cache")
def test_lock_of_an_account_lasts_as_long_as_its_upload(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Thread] = []

    def start_thread(*args: Any, **kwargs: Any) -> Thread:
        started.append(Thread(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(limits, "Thread", start_thread)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    renewed = Event()
    touch = LocMemCache.touch

    def touch_and_say(*args: Any, **kwargs: Any) -> bool:
        result = touch(*args, **kwargs)
        renewed.set()
        return result

    monkeypatch.setattr(LocMemCache, "touch", touch_and_say)
    with limits.locked_account(user):
        for _ in range(3):
            now += limits.LEASE_SECONDS - 1
            for _ in range(2):  # the first one may have begun before
                renewed.clear()
                assert renewed.wait(HANG_SECONDS)
        with pytest.raises(ValidationError) as error, limits.locked_account(user):
            pass
        assert error.value.code == "in_progress"
    started[0].join(HANG_SECONDS)
    assert not started[0].is_alive()
    assert cache.get(f"upload:{user.pk}") is None


@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("failing", ["get", "touch"])
def test_lock_that_cannot_be_renewed_fails_no_upload(
    failing: str, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Event()

    def fail(*args: Any, **kwargs: Any) -> None:
        tried.set()
        raise ConnectionRefusedError

    with limits.locked_account(user):
        monkeypatch.setattr(LocMemCache, failing, fail)
        for _ in range(2):
            tried.clear()
            assert tried.wait(HANG_SECONDS)


@pytest.mark.control("V15.2.2")
@pytest.mark.parametrize("script", ["import os; os.abort()", ""])
def test_refused_upload_counts_by_its_decoding_time(
    script: str,
    login: Login,
    user: User,
    other_user: User,
    upload: Upload,
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.UPLOAD_DECODE_SECONDS = 0.001
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "DECODER", tmp_path / "decoder.py")
        images.DECODER.write_text(script, encoding="utf-8")
        assert codes(upload(login(user))) == ["crashed"]
    response = upload(login(user))
    assert (response.status_code, codes(response)) == (429, ["budget"])
    # A busy machine takes some of them.
    assert 500 < int(response.headers["Retry-After"]) <= 600
    assert upload(login(other_user)).status_code == 302


def test_decoding_time_counts_for_ten_minutes(
    user: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UPLOAD_DECODE_SECONDS = 10
    now = 180_000_000  # in steps of ten seconds
    key = f"decoded:{user.pk}"
    monkeypatch.setattr("time.time", lambda: now * 10.0)
    limits.charge(key, {now - 60: 50, now - 53: 4}, 3)
    assert limits.seconds_used(key) == {now - 53: 4, now: 3}
    limits.charge(key, limits.seconds_used(key), 3)
    assert limits.seconds_used(key) == {now - 53: 4, now: 6}
    with (
        pytest.raises(ValidationError, match=r"\b2 min\.") as error,
        limits.decoding_turn(user),
    ):
        pass
    assert retry_after(error.value) == 70


@pytest.mark.control("V14.2.7")
def test_upload_of_an_account_deleted_meanwhile_is_refused(
    login: Login,
    user: User,
    upload: Upload,
    media: Path,
    reencoded_image: ReencodedImage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = login(user)
    monkeypatch.setattr(
        "secure_django.photos.forms.validate_and_reencode",
        lambda *args: user.delete() and reencoded_image,
    )
    assert upload(client).status_code == 403
    assert not Photo.objects.exists()
    assert stored(media) == []


@pytest.mark.control("V16.5.3")
@pytest.mark.parametrize("failing", ["add", "get", "set"])
def test_upload_is_refused_while_the_cache_is_down(
    failing: str,
    login: Login,
    user: User,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        if failing != "set":  # Django's database cache hides errors when it writes
            raise ConnectionRefusedError

    client = login(user)
    monkeypatch.setattr(f"django.core.cache.backends.db.DatabaseCache.{failing}", fail)
    monkeypatch.delattr(images, "run_decoder")  # decoding would fail
    response = upload(client, title="Kept title")
    assert (response.status_code, codes(response)) == (503, ["unavailable"])
    assert int(response.headers["Retry-After"]) >= 60
    assert 'value="Kept title"' in response.text
    assert "cache unavailable, uploads cannot be counted" in caplog.messages


@pytest.mark.usefixtures("upload")
def test_upload_without_a_file_is_refused(login: Login, user: User) -> None:
    response = login(user).post(ADD, {"title": "Nothing"})
    assert codes(response) == ["missing"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_reported_and_the_title_kept(
    error: int,
    login: Login,
    user: User,
    upload: Upload,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    save = default_storage.save

    def fail(name: str, content: Any) -> str:
        if "thumbnail" in name:
            raise OSError(error, "No space left on device")
        return str(save(name, content))

    monkeypatch.setattr(default_storage, "save", fail)
    response = upload(login(user), title="Kept title")
    assert (response.status_code, codes(response)) == (503, ["storage_full"])
    assert int(response.headers["Retry-After"]) >= 60
    assert "no space left for photos" in caplog.messages
    assert 'value="Kept title"' in response.text
    assert not Photo.objects.exists()
    assert not stored(media)


def test_upload_of_the_largest_size_writes_no_temporary_file(
    login: Login,
    user: User,
    upload: Upload,
    make_image: MakeImage,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = make_image() + bytes(3_000_000)
    settings.UPLOAD_MAX_BYTES = len(content)
    monkeypatch.delattr("tempfile.NamedTemporaryFile")  # writing one would fail
    assert upload(login(user), content).status_code == 302
    assert upload(login(user), content + b"x").status_code == 413


@pytest.mark.control("V15.3.3")
def test_form_sets_only_its_own_fields(
    login: Login, user: User, other_user: User, upload: Upload
) -> None:
    upload(
        login(user),
        status="approved",
        owner=str(other_user.pk),
        is_staff="1",
        reason="x",
    )
    photo = Photo.objects.get()
    assert photo.status == Status.PENDING
    assert photo.owner == user
    assert photo.reason == ""
