from django.urls import path

from prescriptions import api, views

app_name = "prescriptions"

urlpatterns = [
    path("", views.MyPrescriptions.as_view(), name="index"),
    path("profile/", views.profile, name="profile"),
    path("ask/", views.Ask.as_view(), name="ask"),
    path("repeats/<int:pk>/", views.repeat, name="repeat"),
    path("repeats/<int:pk>/approve/", views.approve, name="approve"),
    path("repeats/<int:pk>/decline/", views.decline, name="decline"),
    path("inbox/", views.Inbox.as_view(), name="inbox"),
    path("history/", views.history, name="history"),
    path("history.csv", views.history_csv, name="history_csv"),
    path("search/", views.search, name="search"),
    path("<int:pk>/scan/", views.ScanUpload.as_view(), name="scan_upload"),
    path("scans/<path:name>", views.scan, name="scan"),
    path("d/<str:code>/", views.document, name="document"),
    path("d/<str:code>/dispense/", views.dispense, name="dispense"),
    path("api/login/", api.login, name="api_login"),
    path("api/prescriptions/", api.prescriptions, name="api_prescriptions"),
    path("api/repeats/", api.repeats, name="api_repeats"),
]
