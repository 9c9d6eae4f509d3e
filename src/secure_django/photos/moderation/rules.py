"""The rule that turns verdicts into a status."""

from collections.abc import Mapping
from typing import NamedTuple

from secure_django.photos.models import Status, Verdict

Result = Verdict.Result
MANUAL = "manual"  # the kind of a person's verdict


class VerdictValue(NamedTuple):
    """A result, one of Verdict.Result, with a detail for reviewers."""

    result: str
    detail: str = ""


def decide(results: Mapping[str, str]) -> str:
    """Return the status of a photo from its results by kind.

    The photo is published only if all of them are approvals. A person's decision
    overrides the others. Any result that is neither clear nor pending needs a reviewer.
    """
    distinct_results = set(results.values())
    if results.get(MANUAL) == Result.APPROVED or distinct_results == {Result.APPROVED}:
        return Status.APPROVED
    if Result.REJECTED in distinct_results:
        return Status.REJECTED
    if distinct_results and distinct_results <= {Result.APPROVED, Result.PENDING}:
        return Status.PENDING
    return Status.REVIEW
