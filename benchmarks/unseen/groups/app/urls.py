from django.contrib.auth.decorators import login_not_required
from django.urls import path

from groups import views
from groups.feeds import GroupFeed

app_name = "groups"

urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.create, name="new"),
    path("search/", views.search, name="search"),
    path("out/", views.out, name="out"),
    path("people/", views.people, name="people"),
    path("approve/<str:token>/", views.approve_by_email, name="approve_by_email"),
    path("invitations/<str:token>/", views.accept, name="accept"),
    path("<slug:slug>/", views.group_detail, name="group"),
    path("<slug:slug>/edit/", views.GroupEdit.as_view(), name="edit"),
    path("<slug:slug>/join/", views.join, name="join"),
    path("<slug:slug>/leave/", views.leave, name="leave"),
    path("<slug:slug>/invite/", views.invite, name="invite"),
    path("<slug:slug>/members/", views.members, name="members"),
    path("<slug:slug>/members/<int:pk>/", views.member_update, name="member"),
    path("<slug:slug>/feed/", login_not_required(GroupFeed()), name="feed"),
    path("<slug:slug>/feed.json", views.feed_json, name="feed_json"),
    path("<slug:slug>/posts/new/", views.PostCreate.as_view(), name="post_new"),
    path("<slug:slug>/posts/<int:pk>/", views.post_detail, name="post"),
    path("<slug:slug>/posts/<int:pk>/edit/", views.PostEdit.as_view(), name="post_edit"),
    path("<slug:slug>/posts/<int:pk>/delete/", views.post_delete, name="post_delete"),
    path("<slug:slug>/posts/<int:pk>/reply/", views.reply, name="reply"),
]
