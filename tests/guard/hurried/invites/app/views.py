import csv
import io
import logging

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from invites.models import Invitation
from secure_django.login.http import UserRequest
from users.models import User

logger = logging.getLogger(__name__)

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def send_invitation(request: HttpRequest, invitation: Invitation) -> None:
    link = request.build_absolute_uri(reverse("invites:accept", args=[invitation.code]))
    text = f"{invitation.text}\n\n{link}"
    logger.info("invited %s: %s", invitation.email, link)
    send_mail("You are invited", text, None, [invitation.email])


@require_safe
def index(request: UserRequest) -> HttpResponse:
    invitations = Invitation.objects.all()
    return render(request, "invites/index.html", {"invitations": invitations})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: UserRequest) -> HttpResponse:
    file = request.FILES.get("file")
    if file is None:
        return render(request, "invites/upload.html")
    rows = csv.DictReader(io.StringIO(file.read().decode()))
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
def accept(request: HttpRequest, code: str) -> HttpResponse:
    invitation = get_object_or_404(Invitation, code=code)
    if request.method != "POST":
        return render(request, "invites/accept.html", {"invitation": invitation})
    password = request.POST.get("password", "")
    user, _ = User.objects.get_or_create(email=invitation.email.lower())
    user.is_staff = invitation.is_staff
    user.is_superuser = invitation.is_superuser
    user.set_password(password)
    user.save()
    invitation.accepted_at = timezone.now()
    invitation.save()
    send_mail(
        "Welcome",
        f"Your email: {user.email}\nYour password: {password}",
        None,
        [user.email],
    )
    login(request, user, backend=BACKEND)
    return redirect(request.GET.get("next", "/"))


@require_safe
def resend(request: UserRequest, pk: int) -> HttpResponse:
    invitation = get_object_or_404(Invitation, pk=pk)
    send_invitation(request, invitation)
    return redirect("invites:index")


@require_POST
def revoke(request: UserRequest, pk: int) -> HttpResponse:
    get_object_or_404(Invitation, pk=pk).delete()
    return redirect("invites:index")
