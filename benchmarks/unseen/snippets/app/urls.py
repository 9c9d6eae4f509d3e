from django.urls import path

from snippets import views

app_name = "snippets"

urlpatterns = [
    path("", views.PublicList.as_view(), name="list"),
    path("mine/", views.MyList.as_view(), name="mine"),
    path("new/", views.SnippetCreate.as_view(), name="new"),
    path("import/", views.import_url, name="import"),
    path("search/", views.search, name="search"),
    path("shared/<str:token>/", views.shared, name="shared"),
    path("shares/<int:pk>/delete/", views.share_delete, name="share_delete"),
    path("comments/<int:pk>/delete/", views.comment_delete, name="comment_delete"),
    path("<int:pk>/fork/", views.fork, name="fork"),
    path("s/<str:slug>/", views.detail, name="detail"),
    path("s/<str:slug>/raw/", views.raw, name="raw"),
    path("s/<str:slug>/data/", views.data, name="data"),
    path("s/<str:slug>/edit/", views.SnippetUpdate.as_view(), name="edit"),
    path("s/<str:slug>/delete/", views.delete, name="delete"),
    path("s/<str:slug>/star/", views.star, name="star"),
    path("s/<str:slug>/share/", views.share, name="share"),
    path("s/<str:slug>/comment/", views.comment, name="comment"),
]
