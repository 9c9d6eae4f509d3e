"""Staff attack the admin of a project with every feature on."""

import shutil
import sys

from tests.support.baking import ALL_ON, ROOT, Project, run


def test_staff_get_neither_sessions_nor_rights(project: Project) -> None:
    folder = project(ALL_ON)
    shutil.copy(ROOT / "tests" / "inside" / "staff_attacks.py", folder / "core" / "tests" / "test_staff_attacks.py")
    run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "core/tests/test_staff_attacks.py")
