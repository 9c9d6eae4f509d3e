"""The switch for emails about decisions."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from secure_django.photos.models import Photo
from secure_django.photos.notices import send_due_notices
from secure_django.photos.services import review_photo
from secure_django.testing import Login, MakePhoto
from secure_django.web.links import absolute_url
from users.models import User

PAGE = "/accounts/notifications/"


@pytest.mark.control("notices")
def test_user_switches_emails_about_decisions_off_and_on(
    login: Login, user: User, other_user: User, reviewer: User, make_photo: MakePhoto
) -> None:
    client = login(user)
    for fields, emails in (({}, 0), ({"decision_emails": "on"}, 1)):
        assert "Saved." in client.post(PAGE, fields, follow=True).text
        page = client.get(PAGE).text
        assert (" checked" in page) is bool(emails)
        review_photo(make_photo(), reviewer, "approved")
        decided = Photo.objects.filter(notify_at__isnull=False)
        decided.update(notify_at=timezone.now() - timedelta(seconds=1))
        send_due_notices()
        assert len(mail.outbox) == emails
    url = absolute_url(PAGE)
    assert url in str(mail.outbox[0].body)
    client.post(PAGE)
    other_user.refresh_from_db()
    assert other_user.decision_emails
