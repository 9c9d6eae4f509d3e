"""A job that only counts its runs."""

from secure_django.jobs import job

RUNS: list[str] = []


@job(every=60)
def count_runs() -> None:
    RUNS.append("run")
