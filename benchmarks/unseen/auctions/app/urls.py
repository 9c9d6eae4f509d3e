from django.urls import path

from auctions import views

app_name = "auctions"

urlpatterns = [
    path("", views.AuctionList.as_view(), name="index"),
    path("new/", views.create, name="create"),
    path("import/", views.import_listing, name="import"),
    path("watchlist/", views.WatchList.as_view(), name="watchlist"),
    path("bids/<int:pk>/retract/", views.retract, name="retract"),
    path("sales/", views.MySales.as_view(), name="sales"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", views.AuctionEdit.as_view(), name="edit"),
    path("<int:pk>/bid/", views.bid, name="bid"),
    path("<int:pk>/watch/", views.watch, name="watch"),
    path("<int:pk>/close/", views.close, name="close"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/messages/", views.thread, name="thread"),
    path("messages/<int:pk>/file/", views.attachment, name="attachment"),
    path("api/<int:pk>/", views.api_auction, name="api_auction"),
    path("api/<int:pk>/messages/", views.api_messages, name="api_messages"),
]
