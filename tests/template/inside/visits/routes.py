"""Copied into a generated project: the URLs of safe.py, and of unsafe.py."""

# ruff: noqa: INP001
# mypy: ignore-errors
from types import ModuleType

from django.urls import URLPattern, path


def routes(views: ModuleType) -> list[URLPattern]:
    """Return the URLs of a module's views."""
    return [
        path("<int:pk>/rename/", views.rename),
        path("<int:pk>/notes/<int:note>/", views.note),
        path("compare/", views.compare),
        path("notes/add/", views.add_note),
        path("<int:pk>/move/", views.move_note),
        path("add/", views.add),
        path("<int:pk>/remove/", views.remove),
        path("import/", views.imports),
        path("doctors/", views.doctors),
        path("photos/", views.photos),
        path("<int:pk>/change/", views.change),
        path("<int:pk>/", views.read),
        path("<int:pk>/close/", views.close),
        path("invite/", views.invite),
        path("book/<str:way>/", views.book),
        path("<int:pk>/attach/", views.attach),
        path("export/", views.export),
        path("<int:pk>/letters/<int:note>/", views.letter),
        path("search/", views.search),
        path("results/", views.results),
        path("days/", views.days),
        path("paper/", views.paper),
        path("shared/<str:token>/", views.shared),
        path("ask/", views.ask),
        path("enroll/", views.enroll),
        path("load/", views.load),
        path("lookup/", views.lookup),
        path("sort/", views.sort),
        path("<int:pk>/print/", views.printed),
        path("erase/", views.erase),
        path("diary/", views.diary),
        path("recent/", views.recent),
        path("chosen/", views.chosen),
        path("<int:pk>/quote/", views.quote),
        path("<int:pk>/public/", views.public),
        path("hours/", views.hours),
        path("<int:pk>/plan/", views.plan),
        path("remind/", views.remind),
        path("welcome/", views.welcome),
        path("at-once/", views.at_once),
        path("widgets/", views.widgets),
        path("frames/", views.frames),
        path("pay/", views.pay),
        path("directions/", views.directions),
        path("store/", views.store),
        path("settle/", views.settle),
        path("titled/", views.titled),
        path("board/", views.board),
        path("theme/", views.theme),
    ]
