"""What helps against a kind of weakness, whichever test finds it."""

import re
from collections.abc import Iterator

OF_GUARD = (
    "This is an error of the guard, not of the project. Report it, with the line of the"
    " failed test that says where it was raised. That test has not asked the page"
    " further: look yourself at what others may read and change there."
)
OF_OTHER_SITES = (
    "A page of any other site can cause such a request in the name of its visitor, as"
    " by a link or an image. Change rows, send emails and log out only by POST, with"
    " the CSRF token."
)
REMEDIES = {
    re.compile(r"was not asked: "): OF_GUARD,
    re.compile(r"do so by POST$|is csrf_exempt"): OF_OTHER_SITES,
}


def remedies_of(what: str) -> Iterator[str]:
    """Yield what helps against what a sentence says."""
    for pattern, remedy in REMEDIES.items():
        if pattern.search(what):
            yield remedy
