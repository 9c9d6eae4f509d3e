"""The features of benchmarks/hurried: complete, proven, and counted strictly."""

import ast
import re
import sys
from pathlib import Path

import pytest

from benchmarks.hurried import KINDS, Feature, describe_places, read_features
from benchmarks.hurried.checks import (
    Failure,
    Outcome,
    add_feature,
    find_notice,
    read_report,
    run_exploits,
    tell_lines,
)
from tests.support.baking import ALL_ON, RAW, ROOT, Project, run

FEATURES = read_features()
SHOP = next(feature for feature in FEATURES if feature.name == "shop")

every_feature = pytest.mark.parametrize(
    "feature", FEATURES, ids=[feature.name for feature in FEATURES]
)


def functions(path: Path) -> list[str]:
    """Return the names of a module's tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("test_")]


def test_features_have_enough_weaknesses_with_names_of_their_own() -> None:
    names = [weakness.name for feature in FEATURES for weakness in feature.weaknesses]
    assert len(FEATURES) >= 12
    assert len(names) >= 120
    assert len(set(names)) == len(names)


@every_feature
def test_every_weakness_has_one_exploit_and_a_sentence(feature: Feature) -> None:
    exploits = functions(feature.folder / "exploits.py")
    assert sorted(exploits) == sorted(it.exploit for it in feature.weaknesses)
    assert feature.request.endswith(".")
    for weakness in feature.weaknesses:
        assert weakness.what.endswith("."), weakness.name
        assert weakness.kind in KINDS, weakness.name
        assert re.compile(weakness.words), weakness.name


@every_feature
def test_every_weakness_names_places_that_exist(feature: Feature) -> None:
    files = {path.name: path.read_text("utf-8") for path in feature.files()}
    routes = re.findall(r"^(/\S+) ", files["table.py"], re.MULTILINE)
    # That of the project.
    words = set(re.findall(r"\w+", "\n".join(files.values()))) | {"password"}
    for weakness in feature.weaknesses:
        assert describe_places(feature, weakness), weakness.name
        assert set(weakness.routes) <= set(routes), weakness.name
        for name in weakness.names:
            assert {*re.findall(r"\w+", name.rpartition(".")[2])} <= words, name


def test_names_of_tests_and_advice_say_nothing_about_a_weakness() -> None:
    said = [
        "test no page shows what belongs to others",
        "test nobody changes what belongs to others",
        "test every url answers as the access table says",
        "test every page of an object is for its owner or says why not",
        "test objects that two users share are made for two",
        "test pages stay as quick and short with more objects",
        "test texts of users are encrypted or say why not",
        "Put @rate_limit below the methods of a view that adds rows or sends emails.",
        "What to do, in this order:",
    ]
    for text in said:
        for kind, words in KINDS.items():
            assert not re.search(words, text), f"{kind}: {text}"


@every_feature
def test_fixed_variant_has_only_files_that_differ(feature: Feature) -> None:
    folder = feature.folder / "fixed"
    changed = [path for path in folder.rglob("*") if path.is_file()]
    assert changed
    for path in changed:
        original = feature.folder / "app" / path.relative_to(folder)
        is_new = not original.is_file()
        assert is_new or original.read_bytes() != path.read_bytes(), path


@every_feature
def test_files_are_an_app_without_migrations(feature: Feature) -> None:
    paths = [path.relative_to(feature.folder / "app") for path in feature.files()]
    names = {path.as_posix() for path in paths}
    assert names >= {"__init__.py", "models.py", "urls.py", "views.py"}
    assert not [name for name in names if name.startswith("migrations")]
    for path in feature.files():
        if path.suffix == ".py":
            ast.parse(path.read_text(encoding="utf-8"))


def notice(line: str, title: str = "", heading: str = "") -> str:
    """Return by which weaknesses of the shop a failure is counted."""
    lines = [heading, line] if heading else [line]
    outcomes = [Outcome("tests", 1.0, [Failure(title, lines)])]
    found = [it for it in SHOP.weaknesses if find_notice(SHOP, it, outcomes)]
    return " ".join(weakness.name for weakness in found)


def test_weakness_counts_if_its_place_and_a_fitting_word_are_named() -> None:
    name = "order_is_cancelled_by_get"
    route = "/shop/orders/<pk>/cancel/"
    assert notice(f"GET {route} changes Order: do so by POST") == name
    assert notice("GET /shop/orders/17/cancel/ changes Order") == name
    assert notice("shop.views.cancel", "views that are csrf_exempt") == name
    assert notice(route, heading="These views are csrf_exempt:") == name
    text = (SHOP.folder / "app" / "views.py").read_text(encoding="utf-8")
    number = text[: text.index("def cancel(")].count("\n") + 1
    assert notice(f"shop/views.py:{number}:1: csrf_exempt") == name


def test_weakness_does_not_count_without_place_or_word() -> None:
    route = "/shop/orders/<pk>/cancel/"
    assert notice("a view is csrf_exempt") == ""
    assert notice(f"{route} is missing a row") == ""
    assert notice(f"{route} asks GET for something else") == ""
    assert notice(f"{route}again/ is csrf_exempt") == ""
    assert notice(f"/other{route} is csrf_exempt") == ""
    assert notice("/shop/orders/create/cancel/ is csrf_exempt") == ""
    assert notice("shop/views.py:1:1: csrf_exempt") == ""
    assert notice("shop.views.cancel_all", "views that are csrf_exempt") == ""
    # A line that prints the whole site names nothing.
    assert notice(f"{route} is csrf_exempt {'/ ' * 500}") == ""
    # A heading ends where the next one begins.
    lines = ["These are csrf_exempt:", "/shop/", "No row:", route]
    outcomes = [Outcome("tests", 1.0, [Failure("", lines)])]
    assert not [it for it in SHOP.weaknesses if find_notice(SHOP, it, outcomes)]


def test_words_of_a_place_are_no_words_about_the_weakness() -> None:
    name = "secret_is_stored_in_clear"
    hooks = next(feature for feature in FEATURES if feature.name == "hooks")
    (weakness,) = [it for it in hooks.weaknesses if it.name == name]
    for line, is_noticed in (
        ("Hook.secret", False),
        ("Hook.secret: make each an EncryptedTextField", True),
    ):
        outcomes = [Outcome("tests", 1.0, [Failure("", [line])])]
        assert bool(find_notice(hooks, weakness, outcomes)) == is_noticed


def test_seconds_are_those_until_the_check_has_ended() -> None:
    outcomes = [
        Outcome("style", 1.0, []),
        Outcome("types", 20.0, []),
        Outcome("tests", 30.0, [Failure("", ["/shop/coupon/ needs a rate limit"])]),
    ]
    (weakness,) = [it for it in SHOP.weaknesses if it.name == "coupons_are_guessed"]
    found = find_notice(SHOP, weakness, outcomes)
    assert found
    assert (found.check, found.seconds) == ("tests", 51.0)


def test_report_is_read_without_the_code_of_the_tests(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n\n"
        "def test_good():\n    pass\n\n\n"
        "def test_bad():\n    named = '/shop/'\n    assert '/a/' == named\n\n\n"
        "@pytest.mark.parametrize('number', [1, 2])\n"
        "def test_one_of_two(number):\n    assert number == 1\n\n\n"
        "def test_told():\n    pytest.fail('/b/: no limit', pytrace=False)\n",
        encoding="utf-8",
    )
    report = tmp_path / "report.xml"
    with pytest.raises(AssertionError):
        run(
            tmp_path,
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("-c", "/dev/null" if sys.platform != "win32" else "NUL"),
            *("--rootdir", str(tmp_path), f"--junit-xml={report}", "test_it.py"),
        )
    texts = read_report(report)
    assert texts["test_good"] == ""
    assert texts["test_one_of_two"]
    assert tell_lines(texts["test_told"]) == ["/b/: no limit"]
    said = tell_lines(texts["test_bad"])
    assert any("/a/" in line for line in said)
    assert not any("named =" in line for line in said)


@pytest.mark.tier("scheduled", "benchmarks/hurried/*", f"{RAW}/*.py")
@every_feature
def test_every_exploit_succeeds_but_those_that_are_prevented(
    feature: Feature, project: Project
) -> None:
    site = project(ALL_ON)
    before = set(site.rglob("*.py"))
    add_feature(feature, site)
    texts = run_exploits(site, feature)
    assert sorted(texts) == sorted(it.exploit for it in feature.weaknesses)
    prevented = {it.exploit for it in feature.weaknesses if it.prevented}
    assert {name for name, text in texts.items() if text} == prevented, texts
    added = set(site.rglob("*.py")) - before
    assert all(path.is_relative_to(site / feature.name) for path in added)


def test_corpus_is_excluded_from_style_and_types_but_formatted() -> None:
    apps = [path for feature in FEATURES for path in feature.files()]
    modules = [str(path) for path in apps if path.suffix == ".py"]
    run(ROOT, "ruff", "check", "--no-cache", "--force-exclude", *modules)
    run(ROOT, "ruff", "format", "--check", "--no-cache", "--force-exclude", *modules)
