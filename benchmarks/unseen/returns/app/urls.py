from django.urls import path

from returns import views

app_name = "returns"

urlpatterns = [
    path("", views.MyReturns.as_view(), name="index"),
    path("orders/<str:number>/", views.OpenReturn.as_view(), name="open"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/iban/", views.ChangeIban.as_view(), name="iban"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/upload/", views.upload, name="upload"),
    path("<int:pk>/documents/<int:doc>/", views.document, name="document"),
    path("<int:pk>/documents/<int:doc>/delete/", views.remove, name="remove"),
    path("<int:pk>/decide/", views.decide, name="decide"),
    path("<int:pk>/refund/", views.refund, name="refund"),
    path("staff/", views.staff_list, name="staff"),
    path("staff/export/", views.export, name="export"),
    path("track/<str:token>/", views.track, name="track"),
    path("track/<str:token>/cancel/", views.track_cancel, name="track_cancel"),
    path("carrier/", views.carrier, name="carrier"),
    path("api/<int:pk>/", views.api_return, name="api"),
]
