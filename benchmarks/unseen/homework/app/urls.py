from django.urls import path

from homework import views

app_name = "homework"

urlpatterns = [
    path("", views.ClassList.as_view(), name="index"),
    path("classes/new/", views.ClassCreate.as_view(), name="class_new"),
    path("classes/<int:pk>/", views.class_detail, name="class"),
    path("classes/<int:pk>/edit/", views.ClassEdit.as_view(), name="class_edit"),
    path("classes/<int:pk>/remove/", views.remove_pupil, name="remove_pupil"),
    path("classes/<int:pk>/grades.csv", views.grades_csv, name="grades_csv"),
    path("classes/<int:pk>/parents/", views.write_parents, name="write_parents"),
    path("classes/<int:pk>/parent/", views.parent, name="parent"),
    path("classes/<int:pk>/tasks/new/", views.TaskCreate.as_view(), name="task_new"),
    path("classes/<int:class_pk>/grade/<int:pk>/", views.grade, name="grade"),
    path("join/", views.join, name="join"),
    path("tasks/<int:pk>/", views.task_detail, name="task"),
    path("tasks/<int:pk>/edit/", views.TaskEdit.as_view(), name="task_edit"),
    path("tasks/<int:pk>/delete/", views.task_delete, name="task_delete"),
    path("tasks/<int:pk>/hand-in/", views.hand_in, name="hand_in"),
    path("tasks/<int:pk>/status/", views.task_status, name="task_status"),
    path("tasks/<int:pk>/files.zip", views.files_zip, name="files_zip"),
    path("files/<int:pk>/", views.download, name="download"),
    path("grades/", views.MyGrades.as_view(), name="my_grades"),
    path("upcoming/", views.upcoming, name="upcoming"),
    path("report/<str:key>/", views.report, name="report"),
]
