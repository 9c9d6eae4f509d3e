from bank import views
from django.urls import path

NAMES = (
    "api",
    "back",
    "bid",
    "book",
    "choose",
    "count",
    "due",
    "end",
    "enroll",
    "export",
    "file",
    "leave",
    "look",
    "loop",
    "order",
    "page",
    "remind",
    "sell",
    "tell",
    "unlock",
)

urlpatterns = [
    *(path(f"{name}/", getattr(views, name)) for name in NAMES),
    *(path(f"{name}-unsafe/", getattr(views, f"{name}_unsafe")) for name in NAMES),
    path("day/<str:code>/", views.day),
    path("day-unsafe/<str:code>/", views.day_unsafe),
    path("voucher/<token>/", views.voucher),
    path("voucher-unsafe/<token>/", views.voucher_unsafe),
]
