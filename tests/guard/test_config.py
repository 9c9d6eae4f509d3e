"""What a project says about the guard, and the document about it."""

import re

from secure_django.controls.project import PACKAGE
from secure_django.guard import config
from secure_django.guard.config import RULES, read_config
from secure_django.guard.sentences import ORDER

GUIDE = PACKAGE / "docs" / "guard.md"


def test_guide_has_every_rule() -> None:
    text, _, _ = GUIDE.read_text(encoding="utf-8").partition("## The access table")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))
    assert {name: rows[name].replace("`", "") for name in RULES} == RULES


def test_project_of_the_package_is_asked_by_all_rules_but_those_left_out() -> None:
    found = read_config()
    assert found.left_out.keys() == {"deletion"}
    assert found.rules == {*RULES} - {"deletion"}
    assert found.include == config.KINDS


def test_guide_has_the_order_of_severities() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    titles = re.findall(r"^\d+\. ([\w', -]+)\.$", text, re.MULTILINE)
    assert [title.lower() for title in titles] == [
        severity.title.lower() for severity in ORDER
    ]
