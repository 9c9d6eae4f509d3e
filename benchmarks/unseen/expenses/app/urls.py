from django.urls import path

from expenses import views

app_name = "expenses"

urlpatterns = [
    path("", views.ClaimList.as_view(), name="list"),
    path("inbox/", views.Inbox.as_view(), name="inbox"),
    path("new/", views.ClaimCreate.as_view(), name="new"),
    path("totals/", views.totals, name="totals"),
    path("pay/", views.pay_selected, name="pay_selected"),
    path("export/<int:year>/<int:month>/", views.export, name="export"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/data/", views.claim_data, name="data"),
    path("<int:pk>/edit/", views.ClaimUpdate.as_view(), name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/items/add/", views.item_add, name="item_add"),
    path("<int:pk>/items/<int:item_pk>/delete/", views.item_delete, name="item_delete"),
    path("<int:pk>/items/<int:item_pk>/receipt/", views.receipt, name="receipt"),
    path("<int:pk>/submit/", views.submit, name="submit"),
    path("<int:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("<int:pk>/remind/", views.remind, name="remind"),
    path("<int:pk>/decide/", views.decide, name="decide"),
    path("<int:pk>/pay/", views.pay, name="pay"),
    path("<int:pk>/comment/", views.comment, name="comment"),
]
