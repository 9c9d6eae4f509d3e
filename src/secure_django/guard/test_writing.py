"""What each person changes: nothing of others, and no owner, right or status.

The people send to every page what a form or a script could send (requests.py).
"""

import pytest

from secure_django.guard.access import ASKED, OWN_ROUTES, is_asked
from secure_django.guard.advice import ADVICE
from secure_django.guard.attempts import attempts
from secure_django.guard.findings import REASON, Findings
from secure_django.guard.nobody import lacks_value
from secure_django.guard.sending import Sender
from secure_django.guard.weaknesses import weaknesses


@pytest.mark.control("V8.2.2")
@pytest.mark.parametrize("person", ASKED)
def test_nobody_changes_what_belongs_to_others(person: str, sender: Sender) -> None:
    """By POST, PUT, PATCH and DELETE; by GET, nobody changes anything."""
    findings = Findings()
    for route in OWN_ROUTES:
        if not is_asked(person, route) or lacks_value(sender.world, route):
            continue
        with findings.going_on(route):
            for attempt in attempts(sender, route, person):
                method = attempt.request.method.upper()
                for sentence in weaknesses(attempt):
                    findings.add(f"{method} {route} {sentence}", person)
    findings.report(ADVICE.change_own, ADVICE.limit, REASON)
