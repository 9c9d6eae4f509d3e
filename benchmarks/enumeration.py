"""Response times of forms for emails with and without an account, which must not reveal accounts."""

import statistics
import threading
import time
from urllib.parse import urlencode

from benchmarks import generated, print_table
from tests.support.accounts import Mailbox, Person
from tests.support.baking import ALL_ON
from tests.support.live import PASSWORD, Site, serve

ROUNDS = 40
CREATE_USERS = f"""
from allauth.account.models import EmailAddress
for number in range({ROUNDS}):
    user = User.objects.create_user(f"known{{number}}@example.com", "{PASSWORD}")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
"""
FORMS = {
    "log-in with a wrong password": ("/accounts/login/", "login", {"password": "wrong"}),
    "password reset": ("/accounts/password/reset/", "email", {}),
    # Last, since every email has an account afterwards.
    "sign-up": ("/accounts/signup/", "email", {"password1": PASSWORD}),
}


def seconds(site: Site, path: str, fields: dict[str, str], ip_address: str) -> float:
    """Send a form from an IP address, and return the response time."""
    person = Person(site, ip_address=ip_address)
    body = urlencode({"csrfmiddlewaretoken": person.token(path)} | fields).encode()
    started = time.perf_counter()
    person.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    return time.perf_counter() - started


def main() -> None:
    """Alternate between both kinds of email, and print the medians and their ratio."""
    rows: list[list[object]] = []
    with Mailbox() as mailbox, generated(ALL_ON | {"cloudinary_moderation": False}) as project:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        changes = {"EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}", "TRUSTED_PROXY_COUNT": "1"}
        with serve(project, CREATE_USERS, CHECK_BREACHED_PASSWORDS="off", **changes) as site:
            for name, (path, field, rest) in FORMS.items():
                times: dict[str, list[float]] = {"known": [], "unknown": []}
                for number in range(ROUNDS):
                    for kind, taken in times.items():
                        who = {field: f"{kind}{number}@example.com"}
                        taken.append(seconds(site, path, who | rest, f"203.0.113.{number}"))
                known, unknown = (statistics.median(taken) * 1000 for taken in times.values())
                rows.append([name, known, unknown, known / unknown])
        mailbox.shutdown()
    print_table([f"medians of {ROUNDS}", "with an account, ms", "without, ms", "ratio"], rows)


if __name__ == "__main__":
    main()
