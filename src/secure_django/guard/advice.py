"""Sentences that say what to do, for findings of more than one test."""

FIND_NOTHING = "Let the view search in what own() returns, so that others find nothing."
SHOW_OWN = (
    "Let the view, and the choices of its forms, search in what own() returns."
    " Show no email of a user."
)
