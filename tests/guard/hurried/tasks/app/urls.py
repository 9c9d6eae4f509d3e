from django.urls import path

from tasks import views

app_name = "tasks"

urlpatterns = [
    path("", views.tasks, name="tasks"),
    path("log-in/", views.log_in, name="log_in"),
    path("bulk/", views.bulk, name="bulk"),
    path("me/", views.me, name="me"),
    path("status/", views.status, name="status"),
    path("<int:pk>/", views.task_detail, name="task"),
    path("projects/<int:project_pk>/", views.project_tasks, name="project"),
]
