"""Files that people send: their size."""

import pytest

from secure_django.guard.access import OWN_ROUTES, rule
from secure_django.guard.files import PAPER, Upload
from secure_django.guard.findings import Findings
from secure_django.guard.requests import Payloads, Request
from secure_django.guard.sending import Answer, Sender

BYTES = 64 << 20
SMALL = Upload("paper.pdf", PAPER, "application/pdf")
LARGE = SMALL._replace(content=PAPER.ljust(BYTES))


@pytest.mark.rule("uploads")
def test_no_file_of_any_size_is_stored(sender: Sender) -> None:
    findings = Findings()
    for route in OWN_ROUTES:
        with findings.going_on(route):
            if not rule(route).allows("owner", "uploads") and stores_any(sender, route):
                findings.add(f"POST {route} stores a file of any size")
    findings.report("Compare file.size with a limit in the clean method of its form.")


def stores_any(sender: Sender, route: str) -> bool:
    """Return whether the owner stores small files, and one of BYTES beside them."""
    owner = sender.world.people_of(route)["owner"]
    payloads = Payloads(sender, route, sender.world.url(route), owner)

    def send(request: Request) -> Answer:
        return sender.send(owner, payloads.url, request.method, **request.options)

    def stores(size: int, **uploads: Upload) -> bool:
        files = {name: upload.file() for name, upload in uploads.items()}
        stored = send(payloads.post(payloads.likely, files)).files
        return any(len(content) >= size for content in stored)

    send(payloads.post(payloads.likely))
    names = sorted(sender.file_names[payloads.url] - payloads.images)
    small = dict.fromkeys(names, SMALL)
    if not names or not stores(len(PAPER), **small):
        return False
    # One at a time: all together would take the memory of a request.
    return any(stores(BYTES, **{**small, name: LARGE}) for name in names)
