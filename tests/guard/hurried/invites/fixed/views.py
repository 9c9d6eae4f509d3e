import csv
import io
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from secure_django.mail import invitations
from secure_django.ratelimit import rate_limit
from invites.models import Invitation
from secure_django.login.http import UserRequest

LASTING = timedelta(days=14)


def send_invitation(request: HttpRequest, invitation: Invitation) -> None:
    invitations.send_invitation(
        request,
        invitation.email,
        "invites/invitation",
        "invites:accept",
        invitation.code,
    )


@require_safe
def index(request: UserRequest) -> HttpResponse:
    found = Invitation.objects.filter(invited_by=request.user)
    page = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "invites/index.html", {"invitations": page})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest) -> HttpResponse:
    file = request.FILES.get("file")
    if file is None:
        return render(request, "invites/upload.html")
    rows = csv.DictReader(io.StringIO(file.read().decode(errors="replace")))
    for row in rows:
        invitation = Invitation.objects.create(
            invited_by=request.user,
            email=row["email"],
            text=row.get("text") or request.POST.get("text", ""),
            is_staff=row.get("is_staff") == "yes",
            is_superuser=row.get("is_superuser") == "yes",
        )
        send_invitation(request, invitation)
    messages.success(request, "The invitations were sent.")
    return redirect("invites:index")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600, per="ip")
def accept(request: HttpRequest, code: str) -> HttpResponse:
    recent = Invitation.objects.filter(created_at__gt=timezone.now() - LASTING)
    invitation = get_object_or_404(recent, code=code)
    if request.method != "POST":
        return render(request, "invites/accept.html", {"invitation": invitation})
    invitation.accepted_at = timezone.now()
    invitation.save()
    return redirect("account_signup")


@require_POST
@rate_limit(30, seconds=3600)
def resend(request: UserRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(Invitation, pk=pk, invited_by=request.user)
    send_invitation(request, invitation)
    return redirect("invites:index")


@require_POST
def revoke(request: UserRequest, pk: int) -> HttpResponse:
    get_object_or_404(Invitation, pk=pk, invited_by=request.user).delete()
    return redirect("invites:index")
