"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from django.core.files.base import ContentFile

from contact.models import Inquiry
from users.models import User

ROWS = """
/contact/                                    200     200     200     200     200  # all: uploads: visitors attach files
/contact/thanks/                             200     200     200     200     200
/contact/inbox/                              log-in  404     404     200     200  # staff, reviewer: name, email, phone, subject, text: staff answer them
/contact/<pk>/attachment/                    log-in  404     404     200     200  # staff, reviewer: attachment: staff read them
/contact/<pk>/answer/                        log-in  404     404     away    away  # staff, reviewer: writes, status: staff answer them
/contact/<pk>/close/                         log-in  404     404     away    away  # staff, reviewer: writes, status: staff close them
/contact/<pk>/delete/                        log-in  404     404     away    away  # staff, reviewer: writes: staff delete them
/admin/contact/inquiry/                      log-in  log-in  log-in  403     403
/admin/contact/inquiry/add/                  log-in  log-in  log-in  403     403
/admin/contact/inquiry/<object_id>/delete/   log-in  log-in  log-in  403     403
/admin/contact/inquiry/<object_id>/change/   log-in  log-in  log-in  403     403
"""

# Who wrote has no key to an account: staff delete what they have answered.
STAYS = {"Inquiry"}


def objects(owner: User) -> dict[str, Any]:
    inquiry = Inquiry.objects.create(
        name="Ann",
        email=owner.email,
        subject="Hello",
        text="How are you?",
        attachment=ContentFile(b"text", name="text.txt"),
    )
    return {"pk": inquiry.pk, "object_id": inquiry.pk}
