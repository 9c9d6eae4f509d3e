"""Attacks by staff on sessions and permissions."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import RequestFactory

from secure_django.admin import AdminSite, ModelAdmin
from secure_django.testing import PRIVATE, HTTPSClient, MakePhoto, MakeUser
from users.models import User

pytestmark = pytest.mark.tier("whole")


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    user = make_user("staff@example.com", is_staff=True)
    user.user_permissions.set(
        Permission.objects.exclude(
            content_type__app_label="auth", codename__contains="group"
        )
    )
    return user


def log_in(user: User) -> tuple[HTTPSClient, UserSession]:
    client = HTTPSClient()
    client.force_login(user)
    key = client.session.session_key
    return client, UserSession.objects.create(
        user=user, session_key=key, ip="203.0.113.7", user_agent="Browser"
    )


def test_credentials_of_staff_are_out_of_reach(
    client: HTTPSClient, staff: User, make_user: MakeUser
) -> None:
    other = make_user("other-staff@example.com", is_staff=True)
    other_client, session = log_in(other)
    factor = Authenticator.objects.get(user=other)
    client.force_login(staff)
    client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    fields = {
        "action": "delete_selected",
        "_selected_action": [factor.pk],
        "post": "yes",
    }
    client.post("/admin/mfa/authenticator/", fields)
    client.post(
        "/admin/usersessions/usersession/",
        {"action": "end", "_selected_action": [session.pk]},
    )
    fields = {
        "password1": "a new harbor at noon",
        "password2": "a new harbor at noon",
        "usable_password": "true",
    }
    assert (
        client.post(f"/admin/users/user/{other.pk}/password/", fields).status_code
        == 403
    )
    assert Authenticator.objects.filter(pk=factor.pk).exists()
    assert other_client.get(PRIVATE).status_code == 200
    assert User.objects.get(pk=other.pk).password == other.password


def test_admin_classes_of_other_packages_get_the_rules(
    rf: RequestFactory, staff: User
) -> None:
    class Members(admin.TabularInline):
        model = User.groups.through

    class OpenAdmin(admin.ModelAdmin):
        inlines = (Members,)

        def lookup_allowed(self, *args: object) -> bool:
            return True

        def has_change_permission(self, request: object, obj: object = None) -> bool:
            return True

    site = AdminSite()
    site.register([Session, Group], OpenAdmin)
    site.register(Permission)
    request = rf.get("/")
    request.user = staff
    for model in (Session, Group, Permission):
        model_admin = site.get_model_admin(model)
        assert isinstance(model_admin, ModelAdmin)
        assert not model_admin.lookup_allowed("pk__gte", "a", request)
        assert not model_admin.get_inlines(request, None)
        assert model_admin.has_change_permission(request) is (model is Session)


def test_user_with_a_session_can_be_deleted(
    client: HTTPSClient, user: User, make_user: MakeUser
) -> None:
    other_client, session = log_in(user)
    client.force_login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    client.post(
        f"/admin/usersessions/usersession/{session.pk}/delete/", {"post": "yes"}
    )
    assert UserSession.objects.filter(pk=session.pk).exists()
    page = client.post(f"/admin/users/user/{user.pk}/delete/", {"post": "yes"})
    assert page.status_code == 302
    assert not User.objects.filter(pk=user.pk).exists()
    assert other_client.get(PRIVATE).status_code == 302


def test_malformed_ids_and_filters_never_reach_the_database(
    client: HTTPSClient, staff: User, make_photo: MakePhoto
) -> None:
    photo = make_photo()
    client.force_login(staff)
    for model, action in (
        ("users/user", "delete_selected"),
        ("usersessions/usersession", "end"),
    ):
        for selected in ("abc", "\0", "00000000-0000-0000-0000-000000000000"):
            fields = {"action": action, "_selected_action": [selected]}
            assert client.post(f"/admin/{model}/", fields).status_code == 400
    assert (
        str(photo.pk) in client.get("/admin/secure_django_photos/photo/?show=%00").text
    )
