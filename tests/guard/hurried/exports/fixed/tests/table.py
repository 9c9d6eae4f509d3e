"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from exports.models import Report
from exports.views import FOLDER
from users.models import User

ROWS = """
/exports/                                    log-in  200     200     200     200
/exports/members.csv                         log-in  404     404     200     200  # staff, reviewer: email: staff export the members
/exports/my-photos.csv                       log-in  200     200     200     200
/exports/photos.csv                          log-in  200     200     200     200
/exports/statistics.csv                      log-in  200     200     200     200
/exports/create/                             log-in  away    away    away    away
/exports/download/                           log-in  404     200     404     404
/exports/<pk>/delete/                        log-in  away    404     404     404
/exports/<pk>/send/                          log-in  away    404     404     404
"""


def objects(owner: User) -> dict[str, Any]:
    report = Report.objects.create(owner=owner, name="photos.csv")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{report.pk}.csv").touch()
    return {"pk": report.pk}
