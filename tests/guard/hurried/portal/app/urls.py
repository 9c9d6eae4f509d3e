from django.urls import path

from portal import views

app_name = "portal"

urlpatterns = [
    path("", views.index, name="index"),
    path("create/", views.create, name="create"),
    path("history/", views.history, name="history"),
    path("patients/", views.patients, name="patients"),
    path("patients/<int:patient_pk>/", views.patient_detail, name="patient"),
    path("doctor/", views.register_doctor, name="register_doctor"),
    path("patient/", views.register_patient, name="register_patient"),
    path("<int:pk>/", views.detail, name="visit"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/reply/", views.reply, name="reply"),
]
