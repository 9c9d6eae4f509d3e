import io
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from secure_django.csv import csv_response, write_csv
from secure_django.ratelimit import rate_limit
from exports.models import Report
from secure_django.photos.models import Photo
from secure_django.login.http import UserRequest
from users.models import User

FOLDER = Path(settings.MEDIA_ROOT) / "exports"


def photo_rows(photos: QuerySet[Photo]) -> list[list[str]]:
    return [
        [
            photo.title,
            photo.owner.email if photo.owner else "",
            str(len(photo.verdicts.all())),
            photo.status,
        ]
        for photo in photos.select_related("owner").prefetch_related("verdicts")
    ]


def page_of(request: UserRequest, found: QuerySet[Any]) -> Any:
    return Paginator(found, 24).get_page(request.GET.get("page")).object_list


def csv_text(header: list[str], rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    write_csv(buffer, [header, *rows])
    return buffer.getvalue()


@require_safe
def index(request: UserRequest) -> HttpResponse:
    found = Report.objects.filter(owner=request.user)
    reports = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "exports/index.html", {"reports": reports})


@require_safe
def members(request: UserRequest) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    fields = ["id", "email", "date_joined"]
    return csv_response("members", [fields, *User.objects.values_list(*fields)])


@require_safe
def my_photos(request: UserRequest) -> HttpResponse:
    found = Photo.objects.filter(owner=request.user)
    rows = photo_rows(page_of(request, found))
    return csv_response("my-photos", [["title", "owner", "verdicts", "status"], *rows])


@require_safe
def photos(request: UserRequest) -> HttpResponse:
    known = ["title", "status", "created_at"]
    asked = request.GET.getlist("field")
    fields = [field for field in known if field in asked] or known
    found = Photo.objects.filter(owner=request.user).exclude(status="deleted")
    rows = [fields, *page_of(request, found.values_list(*fields))]
    return csv_response(request.GET.get("name", "photos"), rows)


@require_safe
def statistics(request: UserRequest) -> HttpResponse:
    status = request.GET.get("status", "approved")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT title, width, height FROM secure_django_photos_photo"
            " WHERE purpose = 'gallery.picture.photo' AND status = %s",
            [status],
        )
        rows = [[str(value) for value in row] for row in cursor.fetchall()]
    return csv_response("statistics", [["title", "width", "height"], *rows])


@require_POST
@rate_limit(30, seconds=3600)
def create(request: UserRequest) -> HttpResponse:
    name = request.POST.get("name", "photos.csv")[:100]
    rows = photo_rows(Photo.objects.filter(owner=request.user))
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = csv_text(["title", "owner", "verdicts", "status"], rows)
    report = Report.objects.create(owner=request.user, name=name, rows=len(rows))
    (FOLDER / f"{report.pk}.csv").write_text(text, encoding="utf-8")
    return redirect("exports:index")


@require_safe
def download(request: UserRequest) -> FileResponse:
    name = request.GET.get("file", "photos.csv")
    report = get_object_or_404(Report, owner=request.user, name=name)
    path = FOLDER / f"{report.pk}.csv"
    if not path.exists():
        raise Http404
    return FileResponse(path.open("rb"), as_attachment=True)


@require_POST
def delete(request: UserRequest, pk: int) -> HttpResponse:
    get_object_or_404(Report, pk=pk, owner=request.user).delete()
    return redirect("exports:index")


@require_POST
@rate_limit(30, seconds=3600)
def send(request: UserRequest, pk: int) -> HttpResponse:
    report = get_object_or_404(Report, pk=pk, owner=request.user)
    rows = photo_rows(Photo.objects.filter(owner=request.user))
    text = csv_text(["title", "owner", "verdicts", "status"], rows)
    email = EmailMessage(
        subject=report.name,
        body=request.POST.get("text", "Here is the report."),
        to=[request.user.email],
    )
    email.attach("report.csv", text, "text/csv")
    email.send()
    return redirect("exports:index")
