"""The webhook of the provider that sends emails: bounces and complaints."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from secure_django.http import json_body
from secure_django.logging import log_event
from secure_django.mail import suppressions
from secure_django.mail.outbox import has_provider
from secure_django.web.bodies import refuse_length

MAX_BYTES = 256 * 1024


@login_not_required
@csrf_exempt  # a provider calls it, not a browser; a secret authenticates the sender
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Send nothing more to an address that is reported.

    Without EMAIL_WEBHOOK_SECRET there is no such page. Each address gets the same
    response, so that it does not tell who has an account.
    """
    secret = getattr(settings, "EMAIL_WEBHOOK_SECRET", "")
    if not secret or not has_provider():
        raise Http404
    from secure_django.mail import providers

    name = providers.provider_name()
    if not name:
        raise Http404
    refusal = refuse_length(request, MAX_BYTES)
    if refusal:
        return refusal
    json_body(request, max_bytes=MAX_BYTES)  # before a provider's view reads it
    try:
        reports = providers.read_reports(request, secret)
    except PermissionDenied:
        log_event("authn_webhook_fail", request)
        return HttpResponse(status=401)
    except BadRequest:
        return HttpResponse(status=400)
    for report in reports:
        suppressions.block(report.email, report.reason, name, report.at)
    return HttpResponse()
