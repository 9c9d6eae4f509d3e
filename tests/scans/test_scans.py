"""What scans read of a project whose package is in vendor/, or from elsewhere."""

import json
import secrets
import shutil
from pathlib import Path

import pytest

from secure_django import scans
from secure_django.commands.programs import NotRun

METADATA = """
[project]
name = "site"
version = "0.1.0"
requires-python = ">=3.12"
dependencies = ["secure-django==1.0.0+vendored", "six==1.17.0"]

[tool.uv]
package = false

[tool.uv.sources]
secure-django = { path = "vendor/secure-django", editable = true }

[tool.bandit]
exclude_dirs = ["*/.venv/*"]
"""
LOCK = """
version = 1
revision = 3
requires-python = ">=3.12"

[[package]]
name = "secure-django"
version = "1.0.0+vendored"
source = { editable = "vendor/secure-django" }

[[package]]
name = "site"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "secure-django" }, { name = "six" }]

[[package]]
name = "six"
version = "1.17.0"
source = { registry = "https://index.example/simple" }
"""
PLANTED = "import subprocess\n\nsubprocess.call('ls ' + input(), shell=True)\n"
needs_kingfisher = pytest.mark.skipif(
    not shutil.which("kingfisher"), reason="kingfisher is not installed"
)
needs_uv = pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with the package in vendor/ and a package of an index."""
    vendored = tmp_path / "vendor" / "secure-django"
    vendored.mkdir(parents=True)
    (vendored / "pyproject.toml").write_text(
        '[project]\nname = "secure-django"\nversion = "1.0.0+vendored"\n',
        encoding="utf-8",
    )
    (tmp_path / "manage.py").touch()
    (tmp_path / "pyproject.toml").write_text(METADATA, encoding="utf-8")
    (tmp_path / "uv.lock").write_text(LOCK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_uv
@pytest.mark.usefixtures("project")
def test_dependency_check_reads_the_packages_beside_a_vendored_one() -> None:
    assert scans.locked_packages() == "six==1.17.0\n"


def test_dependency_check_reads_the_packages_beside_one_of_a_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fork = "secure-django @ git+https://git.example.com/fork@1a2b\n"
    exported = f"django==6.1.3\n{fork}"
    monkeypatch.setattr(scans, "run", lambda *_: exported)
    assert scans.locked_packages() == "django==6.1.3\n"
    # Of another package, it would find no vulnerability.
    monkeypatch.setattr(scans, "run", lambda *_: exported.replace("secure-", "other-"))
    with pytest.raises(NotRun, match="other-django @ git"):
        scans.locked_packages()
    monkeypatch.setattr(scans, "run", lambda *_: fork)
    with pytest.raises(NotRun, match="uv exported no package"):
        scans.locked_packages()


@needs_uv
def test_sbom_names_the_package_with_its_license(project: Path) -> None:
    assert scans.write_sbom(project) == []
    sbom = json.loads((project / "sbom.cdx.json").read_text(encoding="utf-8"))
    packages = {package["name"]: package for package in sbom["components"]}
    assert packages.keys() == {"secure-django", "six"}
    assert packages["secure-django"]["version"] == "1.0.0+vendored"
    assert packages["secure-django"]["licenses"] == [{"license": {"id": "MIT"}}]


def test_bandit_reads_the_package_in_vendor(project: Path) -> None:
    file = project / "vendor" / "secure-django" / "src" / "secure_django" / "web.py"
    file.parent.mkdir(parents=True)
    file.write_text(PLANTED, encoding="utf-8")
    (project / "bandit").mkdir()
    (finding,) = scans.run_bandit(project / "bandit")
    assert finding.startswith("vendor/secure-django/src/secure_django/web.py:3: B602")


def test_rules_and_images_are_beside_the_scans() -> None:
    assert (scans.BESIDE / "leaks.yml").is_file()
    command = scans.container_command("docker", Path("reports"), "private")
    assert command[-1].startswith("owasp/dependency-check:")
    volumes = [word for word in command if word.startswith("--volume=")]
    (suppressions,) = [word for word in volumes if "suppressions" in word]
    assert suppressions.endswith(":/src/scans/suppressions.xml:ro")


@needs_kingfisher
def test_secrets_in_files_are_found_before_they_are_committed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.py"
    file.write_text("DEBUG = False\n", encoding="utf-8")
    assert scans.scan_staged([str(file)]) == 0
    # By a rule of the package: the tool itself knows no such key.
    key = secrets.token_urlsafe(50)
    file.write_text(f'SECRET_KEY = "{key}"\n', encoding="utf-8")
    assert scans.scan_staged([str(file)]) != 0
    output = capfd.readouterr().out
    assert "Django secret key" in output
    assert key not in output


@pytest.mark.usefixtures("project")
def test_unknown_scan_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"^Unknown scan: zap\. Known scans: bandit, "):
        scans.main(["zap"])


def test_folder_without_a_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"There is no manage\.py in this folder"):
        scans.main(["bandit"])
