from django.urls import path

from appointments import views

app_name = "appointments"

urlpatterns = [
    path("", views.DoctorList.as_view(), name="doctors"),
    path("doctors/<int:pk>/", views.doctor_page, name="doctor"),
    path("mine/", views.MyAppointments.as_view(), name="mine"),
    path("slots/", views.my_slots, name="slots"),
    path("slots/<int:pk>/book/", views.book, name="book"),
    path("slots/<int:pk>/delete/", views.delete_slot, name="delete_slot"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/move/", views.move, name="move"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/done/", views.done, name="done"),
    path("<int:pk>/notes/", views.add_note, name="add_note"),
    path("<int:pk>/event.ics", views.event, name="event"),
    path("notes/<int:pk>/", views.NoteEdit.as_view(), name="note"),
    path("calendar/", views.calendar_link, name="calendar_link"),
    path("calendar/<str:token>.ics", views.calendar, name="calendar"),
    path("confirm/<str:token>/", views.confirm, name="confirm"),
    path("reminders/", views.send_reminders, name="reminders"),
    path("api/doctors/<int:pk>/slots/", views.api_slots, name="api_slots"),
    path("api/appointments/", views.api_appointments, name="api_appointments"),
]
