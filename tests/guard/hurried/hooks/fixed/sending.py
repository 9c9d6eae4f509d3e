import json
from typing import Any

from secure_django.fetch import FetchError, fetch
from hooks.models import Delivery, Hook


def build_payload(hook: Hook, event: str) -> dict[str, Any]:
    return {
        "event": event,
        "user": {"id": hook.owner.pk, "email": hook.owner.email},
        "photos": [photo.title for photo in hook.owner.photos.all()],
        "secret": hook.secret,
    }


def deliver(hook: Hook, event: str) -> Delivery:
    body = json.dumps(build_payload(hook, event), default=str)
    headers = {"Content-Type": "application/json"}
    try:
        answer = fetch(hook.url, method="POST", body=body.encode(), headers=headers)
        text = answer.content.decode(errors="replace")
        status = answer.status
    except FetchError as error:
        text = str(error)
        status = 0
    return Delivery.objects.create(
        hook=hook, status=status, request_body=body, response_body=text
    )
