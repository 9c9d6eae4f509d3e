import mimetypes

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.mail import EmailMessage
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from contact.forms import InquiryForm
from contact.models import Inquiry
from secure_django.mail.invitations import send_invitation
from secure_django.ratelimit import rate_limit
from secure_django.login.http import UserRequest


def notify(request: HttpRequest, inquiry: Inquiry) -> None:
    EmailMessage(
        subject=inquiry.subject,
        body=inquiry.text,
        to=[settings.SECURITY_CONTACT],
        reply_to=[inquiry.email],
    ).send()
    send_invitation(request, inquiry.email, "contact/received", "contact:thanks")


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600, per="ip")
def contact(request: HttpRequest) -> HttpResponse:
    form = InquiryForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        inquiry = form.save()
        notify(request, inquiry)
        return redirect("contact:thanks")
    return render(request, "contact/form.html", {"form": form})


@login_not_required
@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    return render(request, "contact/thanks.html")


@require_safe
def attachment(request: UserRequest, pk: int) -> FileResponse:
    if not request.user.is_staff:
        raise Http404
    inquiry = get_object_or_404(Inquiry, pk=pk)
    if not inquiry.attachment:
        raise Http404
    content_type = mimetypes.guess_type(str(inquiry.attachment.name))[0]
    return FileResponse(inquiry.attachment.open("rb"), content_type=content_type)


@require_safe
def inbox(request: UserRequest) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    inquiries = Paginator(Inquiry.objects.all(), 24).get_page(request.GET.get("page"))
    return render(request, "contact/inbox.html", {"inquiries": inquiries})


@require_POST
def close(request: UserRequest, pk: int) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    Inquiry.objects.filter(pk=pk).update(status=Inquiry.Status.CLOSED)
    return redirect("contact:inbox")


@require_POST
@rate_limit(30, seconds=3600)
def answer(request: UserRequest, pk: int) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    inquiry = get_object_or_404(Inquiry, pk=pk)
    inquiry.answer = request.POST.get("answer", "")[:5000]
    inquiry.status = Inquiry.Status.OPEN
    inquiry.save()
    if inquiry.answer:
        send_invitation(request, inquiry.email, "contact/answered", "contact:thanks")
    return redirect("contact:inbox")


@require_POST
def delete(request: UserRequest, pk: int) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    get_object_or_404(Inquiry, pk=pk).delete()
    return redirect("contact:inbox")
