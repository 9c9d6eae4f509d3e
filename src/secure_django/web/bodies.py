"""The limit of a body that the site reads before it knows who has sent it."""

import re

from django.http import HttpRequest, HttpResponse


def refuse_length(request: HttpRequest, limit: int) -> HttpResponse | None:
    """Return the answer to a body of more than `limit` bytes, or of unknown length."""
    length = request.headers.get("Content-Length", "")
    if not re.fullmatch(r"[0-9]{1,9}", length):
        return HttpResponse(status=400)
    if int(length) > limit:
        return HttpResponse(status=413)
    return None
