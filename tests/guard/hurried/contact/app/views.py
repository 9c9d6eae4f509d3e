import mimetypes

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from contact.forms import InquiryForm
from contact.models import Inquiry
from secure_django.login.http import UserRequest


def notify(inquiry: Inquiry) -> None:
    html = (
        f"<h1>{inquiry.subject}</h1><p>From {inquiry.name} ({inquiry.email})</p>"
        f"<p>{inquiry.text}</p>"
    )
    email = EmailMultiAlternatives(
        subject=inquiry.subject,
        body=inquiry.text,
        to=[settings.SECURITY_CONTACT],
        reply_to=[inquiry.email],
    )
    email.attach_alternative(html, "text/html")
    email.send()
    EmailMessage(
        subject=f"Your message: {inquiry.subject}",
        body=f"Dear {inquiry.name},\n\nyou wrote:\n\n{inquiry.text}",
        to=[inquiry.email],
    ).send()


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest) -> HttpResponse:
    form = InquiryForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        inquiry = form.save()
        notify(inquiry)
        return redirect(f"/contact/thanks/?id={inquiry.pk}")
    return render(request, "contact/form.html", {"form": form})


@login_not_required
@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    inquiry = Inquiry.objects.filter(pk=request.GET.get("id") or 0).first()
    return render(request, "contact/thanks.html", {"inquiry": inquiry})


@login_not_required
@require_safe
def attachment(request: HttpRequest, pk: int) -> FileResponse:
    inquiry = get_object_or_404(Inquiry, pk=pk)
    if not inquiry.attachment:
        raise Http404
    content_type = mimetypes.guess_type(str(inquiry.attachment.name))[0]
    return FileResponse(inquiry.attachment.open("rb"), content_type=content_type)


@require_safe
def inbox(request: UserRequest) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    inquiries = Inquiry.objects.all()
    return render(request, "contact/inbox.html", {"inquiries": inquiries})


@require_http_methods(["GET", "HEAD", "POST"])
def close(request: UserRequest, pk: int) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    Inquiry.objects.filter(pk=pk).update(status=Inquiry.Status.CLOSED)
    return redirect("contact:inbox")


@require_POST
def answer(request: UserRequest, pk: int) -> HttpResponse:
    inquiry = get_object_or_404(Inquiry, pk=pk)
    inquiry.answer = request.POST.get("answer", "")
    inquiry.status = Inquiry.Status.OPEN
    inquiry.save()
    if inquiry.answer:
        EmailMessage(
            subject=f"Re: {inquiry.subject}",
            body=inquiry.answer,
            to=[request.POST.get("to") or inquiry.email],
        ).send()
    return redirect("contact:inbox")


@require_POST
def delete(request: UserRequest, pk: int) -> HttpResponse:
    if not request.user.is_staff:
        raise Http404
    get_object_or_404(Inquiry, pk=pk).delete()
    return redirect("contact:inbox")
