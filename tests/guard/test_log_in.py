"""The guard logs in by a project's own form, as with a link of somebody else's."""

import shutil
from pathlib import Path

import pytest

from tests.guard.running import edit, run_guard
from tests.guard.test_foreign import FOREIGN

pytestmark = pytest.mark.tier("scheduled", "src/secure_django/guard/*")

VIEW = """

def enter(request):
    form = AuthenticationForm(request, request.POST or None)
    if not form.is_valid():
        return render(request, "notes/index.html", {"form": form})
    login(request, form.get_user())
    return redirect(request.GET.get("next", "/notes/"))
"""
IMPORTS = """
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
"""
FINDING = "/notes/enter/ redirects to any site"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = shutil.copytree(FOREIGN, tmp_path / "project")
    views = project / "notes" / "views.py"
    text = views.read_text(encoding="utf-8")
    views.write_text(f"{text}{IMPORTS}{VIEW}", encoding="utf-8")
    path = 'urlpatterns = [\n    path("enter/", views.enter),\n'
    edit(project / "notes" / "urls.py", "urlpatterns = [\n", path)
    edit(project / "foreign_settings.py", '"/enter/"', '"/notes/enter/"')
    return project


def test_log_in_that_leads_to_another_site_is_named(project: Path) -> None:
    assert FINDING in run_guard(project, "-k", "test_log_in_leads")


def test_log_in_that_compares_its_target_is_not(project: Path) -> None:
    target = 'redirect(request.GET.get("next", "/notes/"))'
    edit(project / "notes" / "views.py", target, 'redirect("/notes/")')
    assert "1 passed" in run_guard(project, "-k", "test_log_in_leads")
