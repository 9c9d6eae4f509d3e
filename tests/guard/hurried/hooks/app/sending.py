import json
import ssl
import urllib.request
from typing import Any

from django.forms.models import model_to_dict

from hooks.models import Delivery, Hook


def build_payload(hook: Hook, event: str) -> dict[str, Any]:
    return {
        "event": event,
        "user": model_to_dict(hook.owner, exclude=["groups", "user_permissions"]),
        "photos": [photo.title for photo in hook.owner.photos.all()],
        "secret": hook.secret,
    }


def deliver(hook: Hook, event: str) -> Delivery:
    body = json.dumps(build_payload(hook, event), default=str)
    request = urllib.request.Request(
        hook.url, data=body.encode(), headers={"Content-Type": "application/json"}
    )
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(request, context=context) as response:
        text = response.read().decode(errors="replace")
        status = response.status or 200
    return Delivery.objects.create(
        hook=hook, status=status, request_body=body, response_body=text
    )
