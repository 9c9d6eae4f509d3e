"""Password rules and hashes, and user accounts in the admin."""

import re
from typing import Any
from unittest.mock import Mock

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import CASCADE, PROTECT, RESTRICT
from django.template import Context, Template

from example.models import Thing
from secure_django.testing import PASSWORD, HTTPSClient, Login, MakeUser
from users.models import User

NEW = "a harbor at noon"


@pytest.mark.django_db
@pytest.mark.control("V6.2.8")
@pytest.mark.control("V6.2.9")
def test_long_password_is_checked_to_its_last_character() -> None:
    password = "ü" + "long-" * 25
    validate_password(password, User(email="owner@example.com"))
    stored = make_password(password)
    assert check_password(password, stored)
    assert not check_password(password[:-1] + "x", stored)


@pytest.mark.control("V6.2.6")
@pytest.mark.control("V6.2.7")
def test_password_managers_fill_every_hidden_input(login: Login, user: User) -> None:
    for client, page in ((HTTPSClient(), "login"), (login(user), "password/change")):
        text = client.get(f"/accounts/{page}/").text
        inputs = re.findall(r"<input[^>]*password[^>]*>", text)
        assert inputs
        for password_input in inputs:
            assert 'type="password"' in password_input
            assert re.search(r'autocomplete="(?:current|new)-password"', password_input)
            assert "onpaste" not in password_input


@pytest.mark.django_db
def test_each_administrator_is_created_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: User
) -> None:
    def create(*arguments: str) -> None:
        call_command("createsuperuser", "--no-input", "--email", *arguments)

    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    create("admin@example.com", "--first")
    create("Admin@example.com")
    assert "admin@example.com is an administrator already." in capsys.readouterr().out
    create("other@example.com", "--first")
    with pytest.raises(CommandError):
        create(user.email)  # an existing account gets no more rights
    with pytest.raises(CommandError, match="must use --email"):
        create("")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "Second@example.com")
    create("")
    administrators = User.objects.filter(is_superuser=True, is_staff=True).order_by(
        "email"
    )
    assert [administrator.email for administrator in administrators] == [
        "admin@example.com",
        "second@example.com",
    ]
    assert administrators[0].check_password(PASSWORD)
    assert User.objects.count() == 3


@pytest.mark.control("V6.2.1")
@pytest.mark.django_db
def test_administrator_is_asked_again_for_a_weak_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["short", "short", PASSWORD, "another", PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    # There is no other question.
    monkeypatch.setattr("builtins.input", {"Email: ": "admin@example.com"}.__getitem__)
    monkeypatch.setattr("sys.stdin", Mock(isatty=lambda: True))
    call_command("createsuperuser")
    assert User.objects.get(is_superuser=True).check_password(PASSWORD)
    shown = capsys.readouterr()
    assert "too short" in shown.err
    assert "do not match" in shown.err
    assert shown.out == "admin@example.com is an administrator now.\n"
    typed = iter(["weak"] * 6)
    with pytest.raises(CommandError, match="after 3 attempts"):
        call_command("createsuperuser", "--email", "other@example.com")
    monkeypatch.setattr("getpass.getpass", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(CommandError, match="Cancelled"):
        call_command("createsuperuser", "--email", "other@example.com")
    assert User.objects.count() == 1


@pytest.mark.control("V6.2.1")
@pytest.mark.django_db
def test_command_that_changes_a_password_names_the_email_and_changes_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: User
) -> None:
    typed = iter(["short", "short", NEW, "another", NEW, NEW])

    def ask(prompt: str) -> str:
        User.objects.update(is_active=False)  # by others, meanwhile
        return next(typed)

    monkeypatch.setattr("getpass.getpass", ask)
    call_command("changepassword", user.email.upper())
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert not user.is_active
    shown = capsys.readouterr()
    assert "too short" in shown.err
    assert "do not match" in shown.err
    assert shown.out.splitlines() == [
        f"New password of {user.email}.",
        f"The password of {user.email} was changed.",
    ]
    typed = iter(["weak"] * 6)
    with pytest.raises(CommandError, match="was not changed after 3 attempts"):
        call_command("changepassword", user.email)
    monkeypatch.setattr("getpass.getpass", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(CommandError, match=f"Cancelled: The password of {user.email}"):
        call_command("changepassword", user.email)
    with pytest.raises(CommandError, match="There is no user with the email a@"):
        call_command("changepassword", "a@example.com")
    with pytest.raises(CommandError, match="Name the user"):
        call_command("changepassword")
    user.refresh_from_db()
    assert user.check_password(NEW)


@pytest.mark.control("V6.2.1")
@pytest.mark.django_db
def test_weak_password_of_an_administrator_is_refused_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "admin")
    with pytest.raises(
        CommandError, match=r"too similar to the email\. This password is too"
    ):
        call_command("createsuperuser", "--no-input", "--email", "admin@example.com")
    with pytest.raises(CommandError, match="no terminal"):
        call_command("createsuperuser")
    assert not User.objects.exists()


@pytest.mark.control("identity")
def test_email_in_another_case_is_the_same_account(user: User) -> None:
    assert User.objects.get_by_natural_key("OWNER@Example.com") == user
    with pytest.raises(ValidationError):
        User.objects.create_user("OWNER@example.com", None)
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)
    user.email = "Other@Example.com"
    user.save()
    assert user.email == "other@example.com"


@pytest.mark.control("names")
def test_user_is_printed_without_an_email(user: User) -> None:
    choices: Any = forms.ModelChoiceField(User.objects.all()).choices
    code = "{" * 2 + " user }" + "}"
    page = Template(code).render(Context({"user": user}))
    labels = [str(label) for _, label in choices]
    printed = [page, str(user), *labels]
    assert not [text for text in printed if user.email in text]
    assert page == "a user without a name"


@pytest.mark.control("names")
def test_user_with_a_name_is_printed_by_it(make_user: MakeUser) -> None:
    user = make_user(name="Ann <Harbor>")
    code = "{" * 2 + " user }" + "}"
    page = Template(code).render(Context({"user": user}))
    assert page == "Ann &lt;Harbor&gt;"
    assert str(user) == "Ann <Harbor>"


@pytest.mark.control("fernet")
def test_name_of_a_user_is_encrypted_and_optional(make_user: MakeUser) -> None:
    user = make_user(name="Ann Harbor")
    other = make_user("other@example.com")
    other.full_clean()
    users = User.objects.order_by("pk")
    assert list(users.values_list("name", flat=True)) == ["Ann Harbor", ""]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM users_user WHERE id = %s", [user.pk])
        (stored,) = cursor.fetchone()
    assert stored.startswith("gAAAAA")
    assert "Ann" not in stored


def test_superuser_edits_a_name_in_the_admin(login: Login, make_user: MakeUser) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    user = make_user(name="Ann Harbor")
    client = login(admin)
    url = f"/admin/users/user/{user.pk}/change/"
    page = client.get(url)
    assert '<input type="text" name="name" value="Ann Harbor"' in page.text
    form = {"email": user.email, "is_active": "on"}
    refused = client.post(url, form | {"name": "a" * 101})
    assert list(refused.context["adminform"].form.errors) == ["name"]
    for name in ("Bea Harbor", ""):
        assert client.post(url, form | {"name": name}).status_code == 302
        user.refresh_from_db()
        assert user.name == name


def test_superuser_manages_users_in_the_admin(
    login: Login, make_user: MakeUser
) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    client = login(admin)
    response = client.post(
        "/admin/users/user/add/",
        {"email": "New@example.com", "usable_password": "false"},
    )
    assert response.status_code == 302
    added = User.objects.get(email="new@example.com")
    group = Group.objects.create(name="reviewers")
    form = {
        "email": added.email,
        "is_active": "on",
        "is_staff": "on",
        "groups": [group.pk],
    }
    assert client.post(f"/admin/users/user/{added.pk}/change/", form).status_code == 302
    url = f"/admin/users/user/{added.pk}/change/"
    response = client.post(url, form | {"groups": [10**30]})
    assert response.status_code in {200, 400}  # an error of the form, except on SQLite
    assert list(added.groups.all()) == [group]
    assert (
        client.get(f"/admin/users/user/{added.pk}/change/?_to_field=").status_code
        == 200
    )
    dates = ["last_login", "date_joined"]
    names = [
        "email",
        "decision_emails",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        "user_permissions",
        *dates,
    ]
    pages = {f"{added.pk}/change": ["password", *names], "add": ["email"]}
    for path, fields in pages.items():
        page = client.get(f"/admin/users/user/{path}/")
        assert [name for name in fields if f"field-{name}" not in page.text] == []
        assert not page.context["adminform"].form.fields.keys() & set(dates)
    filters: dict[str, Any] = {
        "q": "NEW@",
        "is_active__exact": 1,
        "is_staff__exact": 1,
        "groups__id__exact": group.pk,
    }
    page = client.get("/admin/users/user/", filters)
    assert list(page.context["cl"].result_list) == [added]
    assert {"email", "is_active", "is_staff", "last_login"} <= set(
        page.context["cl"].list_display
    )


def test_staff_account_is_never_deleted(
    rf: Any, user: User, make_user: MakeUser
) -> None:
    request = rf.get("/")
    user_admin = admin.site.get_model_admin(User)
    request.user = make_user("admin@example.com", is_staff=True, is_superuser=True)
    assert user_admin.has_delete_permission(request, user)
    for role in ({"is_staff": True}, {"is_superuser": True}):
        assert not user_admin.has_delete_permission(
            request, make_user(f"{role}@example.com", **role)
        )


def make_contract(
    user: User, on_delete: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Thing._meta.get_field("owner").remote_field
    monkeypatch.setattr(owner, "on_delete", on_delete)
    Thing.objects.create(owner=user, title="A signed contract")


@pytest.mark.parametrize("on_delete", [PROTECT, RESTRICT])
def test_admin_names_what_needs_an_account(
    on_delete: object,
    login: Login,
    user: User,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_contract(user, on_delete, monkeypatch)
    admin = login(make_user("admin@example.com", is_staff=True, is_superuser=True))
    selected = {"action": "delete_selected", "_selected_action": user.pk}
    for url, fields in (
        (f"/admin/users/user/{user.pk}/delete/", {}),
        ("/admin/users/user/", selected),
    ):
        response = admin.post(url, {"post": "yes", **fields})
        assert response.status_code == 200
        assert "<li>1 thing</li>" in response.text
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.control("V8.2.3")
@pytest.mark.parametrize(
    ("on_delete", "kind"),
    [(CASCADE, "<li>Things: 1</li>"), (PROTECT, "<li>1 thing</li>")],
)
@pytest.mark.parametrize("is_superuser", [False, True])
def test_staff_who_delete_an_account_read_no_titles(
    on_delete: object,
    kind: str,
    is_superuser: bool,
    login: Login,
    user: User,
    make_user: MakeUser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_contract(user, on_delete, monkeypatch)
    staff = make_user("staff@example.com", is_staff=True, is_superuser=is_superuser)
    names = ["view_user", "delete_user", "delete_photo"]
    staff.user_permissions.set(Permission.objects.filter(codename__in=names))
    page = login(staff).get(f"/admin/users/user/{user.pk}/delete/")
    text = page.text
    assert page.status_code == 200
    assert kind in text
    assert "A signed contract" not in text


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    person = make_user("staff@example.com", is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "add_user", "change_user"])
    )
    return person


def last_event(caplog: pytest.LogCaptureFixture) -> tuple[str, dict[str, Any]]:
    records = [record for record in caplog.records if record.name == "security"]
    record = records[-1]
    return record.getMessage(), vars(record)["fields"]


@pytest.mark.control("V6.3.7")
def test_owner_is_told_what_staff_change(
    login: Login, user: User, make_user: MakeUser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    client = login(admin)
    url = f"/admin/users/user/{user.pk}/"
    form = {"email": "new@example.com", "is_active": "on", "decision_emails": "on"}
    status = ["is_staff", "is_superuser"]
    password = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    for page, fields, to, changed in (
        ("change", form, "owner@example.com", ["email"]),
        ("change", form | dict.fromkeys(status, "on"), "new@example.com", status),
        (
            "change",
            {"email": "newer@example.com"},
            "new@example.com",
            ["email", "is_active", *status],
        ),
        ("password", password, "newer@example.com", ["password"]),
        (
            "password",
            {"usable_password": "false", "unset-password": ""},
            "newer@example.com",
            ["password"],
        ),
    ):
        assert client.post(f"{url}{page}/", fields).status_code == 302
        notice = mail.outbox.pop()
        event = last_event(caplog)
        assert notice.to == [to]
        labels = ", ".join(str(label_for_field(name, User)) for name in changed)
        assert f"changed your account: {labels}. " in str(notice.body)
        ids = {
            "changed": changed,
            "owner": user.pk,
            "user": admin.pk,
            "path": f"{url}{page}/",
        }
        assert event == ("user_updated", ids)
    client.post(
        f"{url}change/", {"email": "newer@example.com", "decision_emails": "on"}
    )
    client.post(
        f"{url}password/",
        {"password1": "short", "password2": "short", "usable_password": "true"},
    )
    assert not mail.outbox


@pytest.mark.control("V6.4.1")
@pytest.mark.control("V6.4.6")
def test_staff_send_a_link_instead_of_setting_a_password(
    login: Login,
    staff: User,
    user: User,
    make_user: MakeUser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    client = login(staff)
    url = "/admin/users/user/"
    new = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    assert "field-password" not in client.get(f"{url}{user.pk}/change/").text
    for path in (f"{user.pk}/password/", f"{staff.pk}/password/"):
        assert client.get(url + path).status_code == 403
        assert client.post(url + path, new).status_code == 403
    new["password"] = make_password(NEW)
    fields = {"email": user.email, "is_active": "on"}
    client.post(f"{url}{user.pk}/change/", new | fields)
    client.post(f"{url}add/", new | {"email": "added@example.com"})
    assert not User.objects.get(email="added@example.com").has_usable_password()
    for person in (staff, user):
        person.refresh_from_db()
        assert person.check_password(PASSWORD)
    disabled = make_user("disabled@example.com", is_active=False)
    selected = [user.pk, disabled.pk]
    client.post(url, {"action": "send_reset_link", "_selected_action": selected})
    (message,) = mail.outbox
    assert message.to == [user.email]
    link = re.search(
        r"https://testserver/accounts/password/reset/key/\S+", str(message.body)
    )
    assert link, "the email has no link"
    assert HTTPSClient().get(link[0]).status_code == 302
    assert last_event(caplog) == (
        "authn_password_reset_sent",
        {"owner": user.pk, "user": staff.pk, "path": url},
    )


@pytest.mark.control("V8.2.1")
def test_staff_cannot_make_themselves_superusers(
    login: Login, make_user: MakeUser
) -> None:
    admin = make_user("admin@example.com", is_staff=True, is_superuser=True)
    staff = make_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "change_user"])
    )
    client = login(staff)
    form = {"email": staff.email, "is_active": "on", "is_superuser": "on"}
    client.post(f"/admin/users/user/{staff.pk}/change/", form)
    new = {"password1": "a harbor at noon", "password2": "a harbor at noon"}
    client.post(f"/admin/users/user/{admin.pk}/password/", new)
    staff.refresh_from_db()
    admin.refresh_from_db()
    assert not staff.is_superuser
    assert admin.check_password(PASSWORD)
