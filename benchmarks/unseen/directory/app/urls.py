from django.urls import path

from directory import views

app_name = "directory"

urlpatterns = [
    path("", views.EntryList.as_view(), name="list"),
    path("<int:pk>/", views.EntryDetail.as_view(), name="entry"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/vcard/", views.vcard, name="vcard"),
    path("<int:pk>/deactivate/", views.deactivate, name="deactivate"),
    path("search/", views.search, name="search"),
    path("import/", views.import_csv, name="import"),
    path("chart/", views.chart, name="chart"),
    path("birthdays/", views.birthdays, name="birthdays"),
    path("leave/", views.LeaveList.as_view(), name="leave"),
    path("leave/new/", views.leave_new, name="leave_new"),
    path("leave/<int:pk>/cancel/", views.leave_cancel, name="leave_cancel"),
    path("leave/<int:pk>/decide/", views.leave_decide, name="leave_decide"),
    path("feed/<int:pk>/<str:token>.ics", views.feed, name="feed"),
    path("contact/<slug:slug>/", views.contact, name="contact"),
]
