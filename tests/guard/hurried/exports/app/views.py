import csv
import io
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

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
            str(photo.verdicts.count()),
            photo.status,
        ]
        for photo in photos
    ]


def csv_text(header: list[str], rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def csv_response(name: str, header: list[str], rows: list[list[str]]) -> HttpResponse:
    response = HttpResponse(csv_text(header, rows), content_type="text/csv")
    response["Content-Disposition"] = f"attachment; filename={name}.csv"
    return response


@require_safe
def index(request: UserRequest) -> HttpResponse:
    reports = Report.objects.filter(owner=request.user)
    return render(request, "exports/index.html", {"reports": reports})


@require_safe
def members(request: UserRequest) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    rows = [[str(value) for value in row] for row in User.objects.values_list()]
    return csv_response("members", [f.name for f in User._meta.fields], rows)


@require_safe
def my_photos(request: UserRequest) -> HttpResponse:
    user_id = int(request.GET.get("user") or request.user.pk)
    rows = photo_rows(Photo.objects.filter(owner_id=user_id))
    return csv_response("my-photos", ["title", "owner", "verdicts", "status"], rows)


@require_safe
def photos(request: UserRequest) -> HttpResponse:
    fields = request.GET.getlist("field") or ["title", "status", "created_at"]
    found = Photo.objects.exclude(status="deleted").values_list(*fields)
    rows = [[str(value) for value in row] for row in found]
    return csv_response(request.GET.get("name", "photos"), fields, rows)


@require_safe
def statistics(request: UserRequest) -> HttpResponse:
    status = request.GET.get("status", "approved")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT title, width, height FROM secure_django_photos_photo"
            f" WHERE purpose = 'gallery.picture.photo' AND status = '{status}'"
        )
        rows = [[str(value) for value in row] for row in cursor.fetchall()]
    return csv_response("statistics", ["title", "width", "height"], rows)


@require_POST
def create(request: UserRequest) -> HttpResponse:
    name = request.POST.get("name", "photos.csv")
    rows = photo_rows(Photo.objects.filter(owner=request.user))
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = csv_text(["title", "owner", "verdicts", "status"], rows)
    (FOLDER / name).write_text(text, encoding="utf-8")
    Report.objects.create(owner=request.user, name=name, rows=len(rows))
    return redirect("exports:index")


@require_safe
def download(request: UserRequest) -> FileResponse:
    path = FOLDER / request.GET.get("file", "photos.csv")
    if not path.exists():
        raise Http404
    return FileResponse(path.open("rb"), as_attachment=True)


@require_http_methods(["GET", "POST"])
def delete(request: UserRequest, pk: int) -> HttpResponse:
    get_object_or_404(Report, pk=pk).delete()
    return redirect("exports:index")


@require_POST
def send(request: UserRequest, pk: int) -> HttpResponse:
    report = get_object_or_404(Report, pk=pk, owner=request.user)
    rows = photo_rows(Photo.objects.filter(owner=request.user))
    text = csv_text(["title", "owner", "verdicts", "status"], rows)
    email = EmailMessage(
        subject=report.name,
        body=request.POST.get("text", "Here is the report."),
        to=[request.POST.get("email") or request.user.email],
    )
    email.attach("report.csv", text, "text/csv")
    email.send()
    return redirect("exports:index")
