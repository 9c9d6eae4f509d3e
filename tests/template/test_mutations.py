"""The mutations of benchmarks/mutations.py, and the mutants of benchmarks/mutants.py.

Mutations fit the code in any format. Mutants show that a test is missing.
"""

import ast
import shutil
import tokenize
from io import StringIO
from itertools import accumulate
from pathlib import Path

import pytest

from benchmarks.covering import PACKAGE, Subject, name_test
from benchmarks.mutants import NOTICED, SURVIVES, equivalent, find, find_all, outcome
from benchmarks.mutations import (
    MUTATIONS,
    Mutation,
    SubjectTests,
    detect,
    lex,
    replace_code,
)
from tests.support.baking import ALL_ON, Project, own_modules, run

SERVICES = "src/secure_django/photos/services.py"
WIDTHS = (40, 88, 200)
STRINGS = {tokenize.STRING, tokenize.FSTRING_START}
SPACE = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
MODULE = '''
class Photos:
    @property
    def is_public(self) -> bool:
        """Return whether everyone may see them."""
        return self.has_files and self.status == APPROVED and self.owner.is_active

    def check(self, limit=10, kinds=("first kind", "second kind", "third kind")):
        if settings.UPLOADS_ARE_CHECKED and len(self.photos) >= limit:  # the reason
            raise ValidationError("There are too many photos.", code="too_many")
        log("photos_checked", level="very loud" if self.name_of_the_owner else "fine")
        name, count = self.name_of_the_owner, len(self.photos)
        self.time_of_check = timezone.now() + timedelta(hours=LIMIT_HOURS)
        return not count, f"{name}: {count} photos were checked, " "all are fine"


MIDDLEWARE = ["first.Middleware", "second.Middleware", "third.Middleware",]
OPTIONS = {"first": lambda: compute_first() if is_first else None, "last": 'it"s'}
assert MIDDLEWARE, "a message that is too long for " + "a narrow line"
'''
CHANGES = [
    ("and self.status == APPROVED", ""),
    ("return self.has_files and", "return"),
    ("return self.has_files and", "return True or"),
    ("if settings.UPLOADS_ARE_CHECKED and len(self.photos) >= limit:", "if False:"),
    ("if settings.UPLOADS_ARE_CHECKED and", "if False and"),
    ('"There are too many photos.", code="too_many"', "self.name"),
    ("self.time_of_check = timezone.now() +", "self.time_of_check ="),
    ("timedelta(hours=LIMIT_HOURS)", "timedelta(hours=LIMIT_HOURS, days=9)"),
    ("return not count,", "return True,"),
    (', f"{name}: {count} photos were checked, " "all are fine"', ""),
    (
        'f"{name}: {count} photos were checked, " "all are fine"',
        'f"{name}: {count} photos were checked, all are fine", True',
    ),
    ("if self.name_of_the_owner else", "if False else"),
    ('else "fine"', 'else "fine", user=1'),
    ('"second kind", "third kind"', '"second kind"'),
    ('kinds=("first kind", "second kind", "third kind")', "kinds=()"),
    ("name, count = self.name_of_the_owner, len(self.photos)", "name = count = 0"),
    ('"first.Middleware",', ""),
    ('"third.Middleware",', ""),
    ('"third.Middleware",', '"third.Middleware", "fourth.Middleware",'),
    ("if is_first else None", ""),
    ("compute_first() if is_first else None", "1"),
    ("'it\"s'", "'it\"s', 'more': 1"),
    ("assert MIDDLEWARE,", "assert OPTIONS,"),
    ('+ "a narrow line"', ""),
    ("MIDDLEWARE = [", "OTHERS = [1]\nMIDDLEWARE = ["),
]


def reformat(folder: Path, width: int) -> None:
    """Format modules in another way than generated projects have."""
    run(
        folder,
        "ruff",
        "format",
        "--isolated",
        "--no-cache",
        f"--line-length={width}",
        "--target-version=py312",
        "--config=format.quote-style='single'",
        "--config=format.skip-magic-trailing-comma=true",
    )


def tree(source: str | None) -> str:
    """Return the syntax of a module."""
    assert source is not None
    return ast.dump(ast.parse(source))


def places(source: str) -> list[tuple[int, int]]:
    """Return the places of tokens by `tokenize`; adjacent strings are one."""
    line_starts = [0, *accumulate(len(line) for line in StringIO(source))]
    found: list[tuple[int, int]] = []
    depth = 0
    follows_string = False
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type in SPACE:
            continue
        start = line_starts[token.start[0] - 1] + token.start[1]
        end = line_starts[token.end[0] - 1] + token.end[1]
        is_string = depth > 0 or token.type in STRINGS
        if is_string and follows_string:
            start = found.pop()[0]
        found.append((start, end))
        if token.type == tokenize.FSTRING_START:
            depth += 1
        if token.type == tokenize.FSTRING_END:
            depth -= 1
        follows_string = is_string
    return [(start, end) for start, end in found if source[start:end].strip()]


def folder_of(mutation: Mutation, template: Path, project: Path) -> Path:
    """Return the folder that has the file of a mutation."""
    return template if mutation.is_of_package else project


def test_every_mutation_changes_the_code_at_one_place(
    template: Path, pristine: Project
) -> None:
    project = pristine(ALL_ON)
    outdated = [
        mutation.name
        for mutation in MUTATIONS
        if not mutation.fits(folder_of(mutation, template, project))
    ]
    assert not outdated, "\n".join(outdated)


@pytest.mark.tier("whole")
@pytest.mark.parametrize("width", WIDTHS)
def test_every_mutation_is_the_same_in_any_format(
    width: int, template: Path, pristine: Project, tmp_path: Path
) -> None:
    folders = {True: template, False: pristine(ALL_ON)}
    reformatted = {}
    for is_package, folder in folders.items():
        copy = shutil.copytree(folder, tmp_path / str(is_package))
        reformat(copy / PACKAGE if is_package else copy, width)
        reformatted[is_package] = copy
    for mutation in MUTATIONS:
        if not mutation.path.endswith(".py"):
            continue
        original = folders[mutation.is_of_package] / mutation.path
        other = reformatted[mutation.is_of_package] / mutation.path
        broken = tree(mutation.replace(original.read_text(encoding="utf-8")))
        other_source = other.read_text(encoding="utf-8")
        assert tree(mutation.replace(other_source)) == broken, mutation.name


@pytest.mark.parametrize("width", WIDTHS)
def test_change_is_the_same_in_any_format(width: int, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE, encoding="utf-8")
    reformat(tmp_path, width)
    source = module.read_text(encoding="utf-8")
    assert source != MODULE
    for old, new in CHANGES:
        assert MODULE.count(old) == 1
        changed = tree(MODULE.replace(old, new))
        assert tree(replace_code(source, old, new)) == changed, (old, new)
        assert tree(replace_code(MODULE, old, new)) == changed, (old, new)


@pytest.mark.parametrize("width", WIDTHS)
def test_new_lines_are_indented_like_their_statement(
    width: int, tmp_path: Path
) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE, encoding="utf-8")
    reformat(tmp_path, width)
    old = "timezone.now() + timedelta(hours=LIMIT_HOURS)"
    new = f"{old}\nif self.name:\n    self.delete()"
    indented = f"{old}\n        if self.name:\n            self.delete()"
    changed = replace_code(module.read_text(encoding="utf-8"), old, new)
    assert tree(changed) == tree(MODULE.replace(old, indented))


def test_change_keeps_everything_else() -> None:
    returned = "(  # why\n  first  and\n  second( 'text', )  # more\n  )"
    source = (
        f"def work():\n    # A comment  \n    return {returned}  # end\nx = 1 ;y  =  2"
    )
    for old, new, removed, added in (
        ("first and", "", "first  and", ""),
        ("return first and", "return", "first  and", ""),
        ("return first and second", "return first or second", "and", "or"),
        ('second("text")', 'second("text", 1)', "'text',", "'text', 1,"),
        ('return first and second("text")', "return 1", returned, "1"),
        ("x = 1", "x = 3", "1", "3"),
        ("x = 1", "x = 1\nz = 1", "1", "1\nz = 1"),
    ):
        assert source.count(removed) == 1
        assert replace_code(source, old, new) == source.replace(removed, added), old


def test_pattern_that_is_not_there_once_is_refused() -> None:
    source = (
        "# removed = call()\n"
        "first = call(value)\n"
        'second = call(values, "removed = call()")\n'
        "if first or second:\n"
        '    print(f"{removed} call()", "a text")\n'
    )
    for old in (
        "",
        "# removed",
        "call",
        "call(",
        "removed",
        "removed = call()",
        "val",
        "value = ",
        "second call",
        '"text"',
        '"a',
        "a text",
        "first or second)",
        "if (first or) second",
    ):
        assert replace_code(source, old, "other") is None, old
    for old in (
        "call(value)",
        "value",
        "values",
        '"removed = call()"',
        "if (first or second):",
    ):
        assert replace_code(source, old, "other"), old


def test_text_is_found_whatever_its_white_space(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>\n  {% one %}\n  {% two %}\n</p>\n", encoding="utf-8")
    mutation = Mutation("a tag", "page.html", "{% one %} {% two %}", "{% one %}")
    assert mutation.fits(tmp_path)
    mutation.apply(tmp_path)
    assert page.read_text(encoding="utf-8") == "<p>\n  {% one %}\n</p>\n"
    assert not mutation.fits(tmp_path)
    with pytest.raises(ValueError, match=r"page\.html"):
        mutation.apply(tmp_path)


def test_tokens_are_those_of_python(template: Path, pristine: Project) -> None:
    for folder in (template / PACKAGE, pristine(ALL_ON)):
        for module in own_modules(folder):
            source = module.read_text(encoding="utf-8")
            found = [(token.start, token.end) for token in lex(source)]
            assert found == places(source), module


def test_mutations_have_unique_names() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_mutation_that_breaks_no_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        'def work():\n    """Return 1."""\n    return 1  # the first\n',
        encoding="utf-8",
    )
    (tmp_path / "page.html").write_text("<p>{# A comment #}</p>\n", encoding="utf-8")
    for path, old in (
        ("module.py", "# the first"),
        ("module.py", "Return 1."),
        ("page.html", "A comment"),
    ):
        assert not Mutation("a comment", path, old, "").fits(tmp_path)
    assert not Mutation("no code", "module.py", "return 1", "return (").fits(tmp_path)
    assert Mutation("the result", "module.py", "return 1", "return 2").fits(tmp_path)


@pytest.mark.parametrize(
    ("path", "file", "is_about"),
    [
        (SERVICES, SERVICES, True),
        (SERVICES, "tests/photos/test_removal.py", True),
        (SERVICES, "tests/web/test_headers.py", False),
        (SERVICES, "tests/template/uploads/test_edits.py", False),
        (SERVICES, "src/secure_django/photos/views.py", False),
        ("src/secure_django/csv.py", "tests/test_csv.py", True),
        ("src/secure_django/csv.py", "tests/test_fetch.py", False),
        ("gallery/views.py", "gallery/tests/test_pages.py", True),
        ("config/settings.py", "gallery/tests/test_pages.py", False),
    ],
)
def test_pull_request_runs_the_mutations_of_what_it_changes(
    path: str, file: str, *, is_about: bool
) -> None:
    assert Mutation("a change", path, "old").is_about([file]) == is_about


def test_test_is_named_as_pytest_does() -> None:
    names = {
        "tests.photos.test_x.test_limit": "tests/photos/test_x.py::test_limit",
        "secure_django.guard.test_access.test_table": (
            "src/secure_django/guard/test_access.py::test_table"
        ),
        "": "",
    }
    assert {context: name_test(context) for context in names} == names


def test_listed_equivalent_mutants_are_in_the_code(template: Path) -> None:
    found = {mutant.describe(source) for mutant, source in find_all(template)}
    outdated = [
        listed
        for listed in equivalent()
        if (listed["path"], listed["change"], listed["line"]) not in found
        or not listed["reason"]
    ]
    assert not outdated


@pytest.mark.tier("whole")
def test_mutant_survives_once_its_test_is_removed(
    template: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(template, tmp_path / "copy")
    subject = Subject(copy, is_package=True)
    (mutant,) = [
        mutant
        for mutant in find(copy)
        if mutant.path == "src/secure_django/ratelimit.py" and mutant.text == " != "
    ]
    tests = copy / "tests" / "test_ratelimit.py"
    modules = ["tests/test_ratelimit.py"]
    assert outcome(mutant, subject, modules) == NOTICED
    before, line, rest = tests.read_text(encoding="utf-8").partition(
        "    assert (response.status_code, response.headers"
    )
    tests.write_text(before + rest.partition("\n")[2], encoding="utf-8")
    assert line
    assert outcome(mutant, subject, modules) == SURVIVES


@pytest.mark.tier("whole")
@pytest.mark.parametrize("path", [SERVICES, "config/settings.py"])
def test_mutation_is_detected_by_a_test_of_its_control(
    path: str, template: Path, project: Project, tmp_path: Path
) -> None:
    is_package = path.startswith(PACKAGE)
    folder = shutil.copytree(template, tmp_path / "copy") if is_package else None
    subject = Subject(folder or project(ALL_ON), is_package=is_package)
    mutation = next(mutation for mutation in MUTATIONS if mutation.path == path)
    name, _, control = detect(mutation, SubjectTests(subject))
    assert name == mutation.name
    assert control
