"""What SQLite does not do: locks of rows, strict types."""

import pytest

from tests.support.baking import ROOT
from tests.support.inplace import run_in_place
from tests.support.postgresql import Database

pytestmark = pytest.mark.tier("whole")

MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tests").glob("*/on_postgresql/[!_]*.py")
)


@pytest.mark.parametrize("module", MODULES)
def test_module_passes_on_postgresql(module: str, postgresql: Database) -> None:
    report = run_in_place(module, TEST_DATABASE_URL=postgresql())
    assert " passed" in report
    assert " skipped" not in report


def test_odd_requests_do_not_fail_on_postgresql(postgresql: Database) -> None:
    url = postgresql()
    run_in_place("tests/web/test_fuzz.py", TEST_DATABASE_URL=url, FUZZ_SEED="12")


def test_rotation_locks_and_binds_rows_on_postgresql(postgresql: Database) -> None:
    run_in_place("tests/test_encryption.py", TEST_DATABASE_URL=postgresql())


@pytest.mark.parametrize(
    "module",
    [
        "tests/accounts/test_dump.py",
        "tests/accounts/test_session_list.py",
        "tests/web/test_session_store.py",
    ],
)
def test_sessions_are_hashes_on_postgresql(module: str, postgresql: Database) -> None:
    report = run_in_place(module, TEST_DATABASE_URL=postgresql())
    assert " passed" in report
    assert " skipped" not in report
