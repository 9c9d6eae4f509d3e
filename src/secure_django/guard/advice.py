"""What to do about findings: by the package's engines, or by Django alone."""

import re
from typing import NamedTuple

from secure_django.guard.tables import CONFIG


class Advice(NamedTuple):
    """Sentences, and ends of sentences."""

    find_nothing: str
    show_own: str
    change_own: str
    limit: str
    invite: str
    log_in: str
    leave_log_in: str
    image: str
    page: str
    policy: str
    check_values: str
    bound_amount: str


OF_ENGINES = Advice(
    find_nothing=(
        "Let the view search in what own() returns, so that others find nothing."
    ),
    show_own=(
        "Let the view, and the choices of its forms, search in what own() returns."
        " Show no email of a user."
    ),
    change_own=(
        "Let the view search in what own() returns, for every method, take the owner"
        " from request.user, and leave out of its form what a user must not set."
    ),
    limit="Put @rate_limit below the methods of a view that adds rows or sends emails.",
    invite="call send_invitation of secure_django.mail.invitations",
    log_in=(
        "Leave the log-in to allauth, which counts attempts and asks for the second"
        " factor. Before a change, put @reauthentication_required above the view."
    ),
    leave_log_in="leave both to allauth",
    image="use a PhotoField",
    page="Show a page of it at a time, by list_page, as the app of `poe app` does.",
    policy="remove csp_override",
    check_values=(
        "Read it by a form with BoundedFormMixin of secure_django.forms, and JSON by"
        " json_body of secure_django.http. Answer 400 or 404 where int(), a date or a"
        " key of a dictionary is not as the view needs it."
    ),
    bound_amount="read it by a form with BoundedFormMixin",
)
OF_DJANGO = Advice(
    find_nothing=(
        "Let the view search among the rows of request.user, as in"
        " get_object_or_404(Note, pk=pk, author=request.user), so that others find"
        " nothing."
    ),
    show_own=(
        "Let the view, and the queryset of each choice in its forms, search among the"
        " rows of request.user. Show no email of a user."
    ),
    change_own=(
        "Let the view search among the rows of request.user, for every method, take the"
        " owner from request.user, and leave out of `fields` of its form what a user"
        " must not set."
    ),
    limit=(
        "Count the requests of a view that adds rows or sends emails, by the rate limit"
        " of a package, such as those of allauth or django-ratelimit."
    ),
    invite="send only to confirmed addresses, and count such emails by a rate limit",
    log_in=(
        "Leave the check of passwords to the log-in, which can count attempts. Before a"
        " change, ask for the password by a view of the log-in."
    ),
    leave_log_in="leave both to the views of the log-in",
    image="decode it, and store what you encode",
    page="Show a page of it at a time, by Paginator.",
    policy="leave it to the middleware",
    check_values=(
        "Read it by a form, or answer 400 or 404 where int(), a date, a key of a"
        " dictionary or the JSON is not as the view needs it."
    ),
    bound_amount="set a MinValueValidator",
)
ADVICE = OF_ENGINES if CONFIG.is_of_template else OF_DJANGO
MAKE_ONE = (
    "Let objects() in tests/table.py of the app make one of the owner, whoever that is,"
    " with unique values of its own."
)
SAY_WHOSE = (
    'Say in a table whose the rows are: COMMON = {"shop.Product": "WHY"} if they belong'
    ' to nobody, or OWNED = {"shop.Invoice": "WHY"} if something else than a key says'
    " their owner."
)
# What goes with an account, and what stays.
LET_GO = (
    "What is of that person alone goes with the account: set on_delete=models.CASCADE"
    " on the key that leads to the person."
)
LET_STAY = (
    "Only if it must stay, name it in tests/table.py of the app, and in"
    ' SECURITY.md: STAYS = {"Invoice"}'
)
KEEP_SHARED = (
    "What others share or rely on stays, without the name: set"
    " on_delete=models.SET_NULL with null=True on the key that the line names last. If"
    " the person has to hand it over or delete it first, set PROTECT. CASCADE is for"
    " rows of one person alone."
)
SAY_ONE_USER = (
    "Only if both ends of a key are always one person's, name the key in tests/table.py"
    ' of the app: SAME_USER = {"Note.folder"}'
)
ALLOW_LOSS = (
    "Only if rows of others may go with an account, say why in their model:"
    ' deleted_with = {"post": "a like is nothing without its post"}, with the name of'
    " the model's own key."
)
MAKE_ONE_OF_OTHER = (
    "Let objects() in tests/table.py of the app make one of a further person, on a row"
    " of the owner's: def objects(owner: User, member: User)"
)
# Steps of a test that are about some of its findings. The others say their own remedy.
ABOUT = {
    ADVICE.limit: re.compile("without end"),
    MAKE_ONE: re.compile("^(?!no key leads)"),
    SAY_WHOSE: re.compile("^no key leads"),
    KEEP_SHARED: re.compile("goes with an account"),
    SAY_ONE_USER: re.compile("goes with an account"),
    ALLOW_LOSS: re.compile("goes with an account"),
    MAKE_ONE_OF_OTHER: re.compile("was not made"),
    ADVICE.change_own: re.compile("of the owner|answers .*, not|lets a user set"),
    ADVICE.show_own: re.compile(r"shows \w+\.\w+|mixes the numbers"),
}
# What begins, or is, a step about who may open a page.
OF_ACCESS = (
    ADVICE.find_nothing,
    "Only if they are meant to",
    "Only if the page is meant for them",
)
# What is wrong whoever may open the page.
NO_ACCESS = re.compile(
    r"answers 500|task that fails|calculates for over|takes all memory|by POST$"
    r"|kept in a cache"
)


def is_about(step: str, what: str) -> bool:
    """Return whether a step helps against what a sentence says."""
    if "was not asked: " in what:
        return False  # the guard has failed, and not the project
    if NO_ACCESS.search(what) and any(part in step for part in OF_ACCESS):
        return False
    pattern = ABOUT.get(step)
    return pattern is None or bool(pattern.search(what))
