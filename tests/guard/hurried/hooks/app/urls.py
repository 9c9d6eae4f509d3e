from django.urls import path

from hooks import views

app_name = "hooks"

urlpatterns = [
    path("", views.index, name="index"),
    path("incoming/", views.incoming, name="incoming"),
    path("<int:pk>/", views.hook_detail, name="hook"),
    path("<int:pk>/toggle/", views.toggle, name="toggle"),
    path("<int:pk>/test/", views.test, name="test"),
    path("<int:pk>/deliveries/<int:delivery_pk>/", views.delivery, name="delivery"),
]
