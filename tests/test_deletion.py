"""The deletion of an account: what goes, what stays, and what is in the way."""

from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from example.models import Bill, Delivery, Household, Loan, Member, Remark, Thing
from secure_django.deletion import (
    CollectedRows,
    Deletion,
    DeletionRefusedError,
    Judge,
    Rows,
    delete_user,
    plan_deletion,
)
from users.models import User

pytestmark = pytest.mark.django_db


def of_project(rows: tuple[Rows, ...]) -> dict[str, int]:
    return {row.model.__name__: row.number for row in rows}


def refuse(user: User) -> Deletion:
    """Return why an account stays, and check that nothing was deleted."""
    with pytest.raises(DeletionRefusedError) as refusal:
        delete_user(user)
    assert User.objects.filter(pk=user.pk).exists()
    assert plan_deletion(user) == refusal.value.deletion
    return refusal.value.deletion


@pytest.fixture
def household(user: User, other_user: User) -> Household:
    """Return a household of the user, with another member."""
    household = Household.objects.create(owner=user, name="Under the roof")
    for person in (user, other_user):
        Member.objects.create(household=household, user=person)
    return household


def test_what_is_a_persons_alone_goes(user: User) -> None:
    thing = Thing.objects.create(owner=user, title="Teapot")
    Remark.objects.create(thing=thing, text="It leaks")
    Delivery.objects.create(owner=user)
    deletion = delete_user(user)
    assert of_project(deletion.goes) == {"Delivery": 1, "Thing": 1, "Remark": 1}
    assert not deletion.lost
    assert not Remark.objects.exists()
    assert user.pk, "the caller logs it"


def test_owner_of_a_household_does_not_delete_it_for_its_members(
    household: Household, user: User, other_user: User
) -> None:
    Bill.objects.create(household=household, payer=other_user, title="Rent")
    deletion = refuse(user)
    assert deletion.in_the_way == (Rows(Member, 1, Household),)
    assert Member.objects.count() == 2
    assert Bill.objects.count() == 1


def test_member_of_a_household_goes_without_it(
    household: Household, other_user: User
) -> None:
    bill = Bill.objects.create(household=household, payer=other_user, title="Rent")
    deletion = delete_user(other_user)
    assert of_project(deletion.goes) == {"Member": 1}
    assert of_project(deletion.stays) == {"Bill": 1}
    bill.refresh_from_db()
    assert bill.payer is None


def test_row_in_what_others_share_is_refused_without_a_word_of_its_model(
    household: Household, other_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = Bill._meta.get_field("payer").remote_field
    monkeypatch.setattr(payer, "on_delete", models.CASCADE)
    Bill.objects.create(household=household, payer=other_user, title="Rent")
    assert refuse(other_user).in_the_way == (Rows(Bill, 1),)


def test_row_below_a_parent_names_the_people_of_its_parent(
    user: User, other_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Thing._meta.get_field("guest").remote_field
    monkeypatch.setattr(guest, "on_delete", models.CASCADE)
    thing = Thing.objects.create(owner=user, guest=other_user)
    Remark.objects.create(thing=thing, text="Ours")
    assert refuse(user).in_the_way == (Rows(Thing, 1),)
    assert refuse(other_user).in_the_way == (Rows(Thing, 1),)


def test_model_allows_that_rows_of_others_go(user: User, other_user: User) -> None:
    thing = Thing.objects.create(owner=user)
    Loan.objects.create(thing=thing, borrower=other_user)
    deletion = delete_user(user)
    assert of_project(deletion.lost) == {"Loan": 1}
    assert of_project(deletion.goes) == {"Thing": 1}
    assert not Loan.objects.exists()


def test_many_to_many_row_of_another_is_in_the_way(
    user: User, other_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    household = Household.objects.create(owner=user)
    household.watchers.add(user, other_user)
    (rows,) = refuse(user).in_the_way
    assert rows.model is Household.watchers.through
    assert str(rows) == "1 entry in watchers (household)"
    assert str(Rows(rows.model, 2)) == "2 entries in watchers (household)"
    monkeypatch.setattr(Household, "deleted_with", {"watchers": "x"}, raising=False)
    assert plan_deletion(user).lost
    delete_user(other_user)
    assert list(household.watchers.all()) == [user]


def test_others_lose_what_names_them_by_a_key_that_would_be_null(
    user: User, other_user: User
) -> None:
    household = Household.objects.create(owner=user)
    for payer in (user, other_user):
        Bill.objects.create(household=household, payer=payer, title="Rent")
    deletion = plan_deletion(user)
    assert of_project(deletion.lost) == {"Bill": 1}
    assert of_project(deletion.goes) == {"Bill": 1, "Household": 1}


@pytest.mark.django_db(transaction=True)
@isolate_apps("example")
def test_row_names_the_people_of_its_farthest_parent(
    user: User, other_user: User
) -> None:
    attributes = {"__module__": "example.models"}

    def make(name: str, **keys: Any) -> Any:
        return type(name, (models.Model,), attributes | keys)

    def key_to(target: Any) -> Any:
        return models.ForeignKey(target, models.CASCADE, related_name="+")

    kinds = [make("Level0", person=key_to(User))]
    for number in range(1, 7):
        keys = {"parent": key_to(kinds[-1])}
        kinds.append(make(f"Level{number}", **keys))
    kinds.append(make("Card", parent=key_to(kinds[-1]), person=key_to(User)))
    with connection.schema_editor() as editor:
        for kind in kinds:
            editor.create_model(kind)
    try:
        row = kinds[0].objects.create(person=other_user)
        for kind in kinds[1:-1]:
            row = kind.objects.create(parent=row)
        card = kinds[-1].objects.create(parent=row, person=user)
        rows = CollectedRows([user], "default")
        rows.add([user])
        rows.add([card])
        assert Judge(rows).deletion().in_the_way == (Rows(kinds[-1], 1),)
    finally:
        with connection.schema_editor() as editor:
            for kind in reversed(kinds):
                editor.delete_model(kind)


@pytest.mark.parametrize("name", ["owner", "thing"])
def test_cascade_of_the_database_is_collected_too(
    name: str, user: User, other_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = Thing if name == "owner" else Loan
    monkeypatch.setattr(
        model._meta.get_field(name).remote_field, "on_delete", models.DB_CASCADE
    )
    monkeypatch.setattr(Loan, "deleted_with", {})
    thing = Thing.objects.create(owner=user)
    Loan.objects.create(thing=thing, borrower=other_user)
    assert refuse(user).in_the_way == (Rows(Loan, 1, Thing),)


@pytest.mark.parametrize("on_delete", [models.PROTECT, models.RESTRICT])
def test_protected_row_refuses_the_deletion(
    on_delete: object, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Thing._meta.get_field("owner").remote_field
    monkeypatch.setattr(owner, "on_delete", on_delete)
    Thing.objects.create(owner=user)
    assert refuse(user).protected == (Rows(Thing, 1),)


def test_people_who_share_something_are_deleted_together(
    household: Household, user: User, other_user: User
) -> None:
    delete_user(user, other_user)
    assert not Household.objects.exists()
    assert not User.objects.exists()


def test_account_that_is_gone_is_not_deleted_again(user: User) -> None:
    delete_user(user)
    with pytest.raises(User.DoesNotExist):
        delete_user(user)


def test_rows_are_not_judged_one_by_one(
    user: User, other_user: User, django_assert_max_num_queries: Any
) -> None:
    thing = Thing.objects.create(owner=user)
    Thing.objects.bulk_create(Thing(owner=user) for _ in range(300))
    Loan.objects.bulk_create(Loan(thing=thing, borrower=other_user) for _ in range(300))
    with django_assert_max_num_queries(70):
        plan_deletion(user)
