"""The admin answers only lookups that it offers; only superusers give permissions."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from secure_django.testing import HTTPSClient, MakeUser
from users.models import User


@pytest.mark.control("V8.2.3")
def test_admin_list_refuses_a_search_by_lookup(
    client: HTTPSClient, powerful_staff: User
) -> None:
    client.force_login(powerful_staff)
    for query in (
        "date_joined__gte=2020-01-01",
        "email__startswith=a",
        "photos__original_name__isnull=0",
    ):
        assert client.get(f"/admin/users/user/?{query}").status_code == 400
    page = client.get("/admin/users/user/?is_staff__exact=1")
    assert page.status_code == 200
    assert page.context["site_header"] == settings.SITE_NAME


@pytest.mark.control("V16.4.2")
def test_account_of_former_staff_is_kept_for_its_record(
    client: HTTPSClient, powerful_staff: User, make_user: MakeUser
) -> None:
    boss = make_user("admin@example.com", is_staff=True, is_superuser=True)
    kept = [powerful_staff, boss, make_user("root@example.com", is_superuser=True)]
    other = make_user("other@example.com")
    LogEntry.objects.log_actions(
        powerful_staff.pk, [other], CHANGE, "Approved", single_object=True
    )
    User.objects.filter(pk=powerful_staff.pk).update(is_staff=False)
    client.force_login(boss)
    for user in (*kept, other):
        client.post(f"/admin/users/user/{user.pk}/delete/", {"post": "yes"})
    fields = {
        "action": "delete_selected",
        "_selected_action": [user.pk for user in kept],
        "post": "yes",
    }
    client.post("/admin/users/user/", fields)
    assert set(User.objects.all()) == set(kept)


def test_id_of_twenty_digits_is_refused_wherever_staff_send_it(
    client: HTTPSClient, powerful_staff: User
) -> None:
    client.force_login(powerful_staff)
    number = "9" * 20
    selected = {"action": "delete_selected", "_selected_action": [number]}
    for post in ({}, {"post": "yes"}):
        response = client.post("/admin/users/user/", selected | post)
        assert response.status_code == 400
    assert client.get(f"/admin/users/user/{number}/change/").status_code == 302


@pytest.mark.control("edits")
def test_form_of_the_admin_undoes_nothing_that_was_saved_meanwhile(
    client: HTTPSClient,
    powerful_staff: User,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = admin.ModelAdmin.get_object

    def read_before_a_change(*args: Any) -> Any:
        instance = read(*args)
        User.objects.filter(pk=user.pk).update(password="new")
        return instance

    monkeypatch.setattr(admin.ModelAdmin, "get_object", read_before_a_change)
    client.force_login(powerful_staff)
    page = reverse("admin:users_user_change", args=[user.pk])
    with CaptureQueriesContext(connection) as queries:
        client.post(page, {"email": "new@example.com", "is_active": "on"})
    user.refresh_from_db()
    assert (user.email, user.password) == ("new@example.com", "new")
    locks = [query for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert locks or not connection.features.has_select_for_update
