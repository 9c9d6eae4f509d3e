from django.urls import path

from polls import views

app_name = "polls"

urlpatterns = [
    path("", views.PollList.as_view(), name="index"),
    path("mine/", views.mine, name="mine"),
    path("new/", views.PollCreate.as_view(), name="new"),
    path("<int:pk>/", views.poll_detail, name="poll"),
    path("<int:pk>/edit/", views.PollEdit.as_view(), name="edit"),
    path("<int:pk>/delete/", views.PollDelete.as_view(), name="delete"),
    path("<int:pk>/vote/", views.vote, name="vote"),
    path("<int:pk>/close/", views.close, name="close"),
    path("<int:pk>/extend/", views.extend, name="extend"),
    path("<int:pk>/results/", views.results, name="results"),
    path("<int:pk>/results.json", views.results_json, name="results_json"),
    path("<int:pk>/votes.csv", views.votes_csv, name="votes_csv"),
    path("<int:pk>/embed/", views.embed, name="embed"),
    path("<int:pk>/comment/", views.comment, name="comment"),
    path("<int:pk>/share/", views.share, name="share"),
    path("comments/<int:pk>/delete/", views.comment_delete, name="comment_delete"),
    path("s/<int:pk>/<str:token>/", views.shared, name="shared"),
]
