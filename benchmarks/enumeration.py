"""Whether time tells who has an account: the same form for addresses with and without one, in turns."""

import statistics
import threading
import time
from urllib.parse import urlencode

from benchmarks import generated, print_table
from tests.accounts.conftest import Mailbox, Person
from tests.baking import ALL_ON
from tests.live import PASSWORD, Site, serve

ROUNDS = 40
PEOPLE = f"""
from allauth.account.models import EmailAddress
for number in range({ROUNDS}):
    user = User.objects.create_user(f"known{{number}}@example.com", "{PASSWORD}")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
"""
FORMS = {
    "log-in with a wrong password": ("/accounts/login/", "login", {"password": "wrong"}),
    "reset of the password": ("/accounts/password/reset/", "email", {}),
    # Last: afterwards every address has an account.
    "sign-up": ("/accounts/signup/", "email", {"password1": PASSWORD}),
}


def seconds(site: Site, path: str, fields: dict[str, str], address: str) -> float:
    """Send a form from a network address of its own, and return how long the answer took."""
    person = Person(site, address=address)
    body = urlencode({"csrfmiddlewaretoken": person.token(path)} | fields).encode()
    started = time.perf_counter()
    person.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    return time.perf_counter() - started


def main() -> None:
    """Print the medians and their ratio."""
    rows: list[list[object]] = []
    with Mailbox() as mailbox, generated(ALL_ON | {"cloudinary_moderation": False}) as project:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        changes = {"EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}", "TRUSTED_PROXY_COUNT": "1"}
        with serve(project, PEOPLE, CHECK_BREACHED_PASSWORDS="off", **changes) as site:
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
