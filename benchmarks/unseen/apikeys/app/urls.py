from django.urls import path

from apikeys import api, views

app_name = "apikeys"

urlpatterns = [
    path("", views.projects, name="projects"),
    path("join/<str:token>/", views.join, name="join"),
    path("usage-data/", views.usage_data, name="usage_data"),
    path("keys/<int:pk>/rotate/", views.key_rotate, name="key_rotate"),
    path("keys/<int:pk>/revoke/", views.key_revoke, name="key_revoke"),
    path("badge/<slug:slug>.svg", views.badge, name="badge"),
    path("api/deployments/", api.deployments, name="api_deployments"),
    path("api/deployments/<int:pk>/", api.deployment, name="api_deployment"),
    path("api/status/", api.status, name="api_status"),
    path("p/<slug:slug>/", views.project, name="project"),
    path("p/<slug:slug>/settings/", views.ProjectSettings.as_view(), name="settings"),
    path("p/<slug:slug>/delete/", views.project_delete, name="delete"),
    path("p/<slug:slug>/keys/new/", views.key_new, name="key_new"),
    path("p/<slug:slug>/usage/", views.UsageView.as_view(), name="usage"),
    path("p/<slug:slug>/invite/", views.invite, name="invite"),
    path("p/<slug:slug>/members/<int:pk>/remove/", views.member_remove, name="member_remove"),
]
