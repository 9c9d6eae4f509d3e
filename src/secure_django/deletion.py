"""The deletion of an account: what goes with it, what stays, and what is in the way.

What is a person's alone goes. What others share or rely on stays, without the person's
name: by a key with SET_NULL. A row that names another person is never deleted by
CASCADE, unless its model says by which key:

    class Ticket(models.Model):
        deleted_with = {"event": "a ticket is worth nothing without its event"}

Of a many-to-many field, whose rows have no model, the model of the field says it, with
the name of the field.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import IntegrityError, connections, models, router, transaction
from django.db.models.deletion import Collector, ProtectedError, RestrictedError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

__all__ = [
    "Deletion",
    "DeletionRefusedError",
    "Numbers",
    "Rows",
    "counts_rows",
    "delete_user",
    "plan_deletion",
]

type Users = Collection[Any]
type Row = tuple[type[models.Model], Any]  # the model, and the primary key

# A row with such a key stays when the person of the key goes, so it does not rely on
# that person.
KEEPING = {
    models.SET_NULL,
    models.SET_DEFAULT,
    models.DB_SET_NULL,
    models.DB_SET_DEFAULT,
}
CASCADING = {models.CASCADE, models.DB_CASCADE}
REFUSING = {models.PROTECT, models.RESTRICT}
# By such a key, no row goes. By any other it may, such as by a function of a project.
STAYING = {*KEEPING, *REFUSING, models.DO_NOTHING}
MOST_ROUNDS = 5  # of locks, until no further row has come
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Rows:
    """A number of rows of one kind."""

    model: type[models.Model]
    number: int
    # The model of the rows with which these would go: none if it is the account.
    holder: type[models.Model] | None = None

    @property
    def label(self) -> Any:
        """Return the kind, in singular or plural, with no name and no title."""
        return label_of(self.model, self.number)

    @property
    def holder_label(self) -> Any:
        return label_of(self.holder, 1) if self.holder else ""

    def __str__(self) -> str:
        return f"{self.number} {self.label}"


@dataclass(frozen=True)
class Deletion:
    """What the deletion of an account does, by kind and number.

    `goes` is the person's alone. `stays` is without the person's name. `lost` names
    others too, and goes: its model allows it, or it names them by a key that would be
    set to null. `in_the_way` names others, and must not go. `protected` must stay.
    """

    goes: tuple[Rows, ...] = ()
    stays: tuple[Rows, ...] = ()
    lost: tuple[Rows, ...] = ()
    in_the_way: tuple[Rows, ...] = ()
    protected: tuple[Rows, ...] = ()

    @property
    def is_refused(self) -> bool:
        return bool(self.in_the_way or self.protected)


class DeletionRefusedError(Exception):
    """Other people, or rows that must stay, need the account. Nothing was deleted."""

    def __init__(self, deletion: Deletion) -> None:
        rows = (*deletion.in_the_way, *deletion.protected)
        kinds = ", ".join(sorted({row.model._meta.label for row in rows}))
        super().__init__(f"These rows need the account: {kinds or 'unknown ones'}")
        self.deletion = deletion


class Numbers(NamedTuple):
    """How many rows of one kind go, and how many stay without a name."""

    going: int
    staying: int


# From the users who go and from the rows that go with them, by model.
type Counter = Callable[[Users, Mapping[type[models.Model], Users]], Numbers]
COUNTERS: dict[type[models.Model], Counter] = {}


def counts_rows(model: type[models.Model]) -> Callable[[Counter], Counter]:
    """Register what counts the rows of a model that a receiver deletes with their user.

    Their key is set to null: without a counter, pages would say that all of them stay.
    """

    def register(counter: Counter) -> Counter:
        COUNTERS[model] = counter
        return counter

    return register


def plan_deletion(*users: Any) -> Deletion:
    """Return what the deletion of these users would do. Nothing is locked."""
    using = database_of(users)
    return Judge(collect(users, using)).deletion()


def delete_user(*users: Any) -> Deletion:
    """Delete users and what is theirs alone, all or none, and return what was done.

    Raise DeletionRefusedError if a row that names another person would go, or if a row
    protects a user. Raise the model's DoesNotExist if a user is gone already.

    What goes is locked before it is judged, so a row that comes meanwhile is refused by
    its foreign key. Only rows without one (a generic relation, `db_constraint=False`)
    can still come: they stay, as the deletion names the rows that it has judged.
    """
    using = database_of(users)
    try:
        with transaction.atomic(using=using):
            rows = collect_locked(users, using)
            deletion = Judge(rows).deletion()
            if deletion.is_refused:
                raise DeletionRefusedError(deletion)
            rows.delete()
            check_left_keys(rows, using)
    except IntegrityError as error:
        # Of a key that Django leaves alone, and the database does not (DO_NOTHING).
        raise DeletionRefusedError(Deletion()) from error
    return deletion


def database_of(users: Users) -> str:
    return str(router.db_for_write(get_user_model(), instance=next(iter(users), None)))


class CollectedRows(Collector):
    """All rows that would go, with those that Django or the database would not read."""

    def __init__(self, users: Users, using: str) -> None:
        super().__init__(using=using, force_collection=True)
        self.users = users
        self.protected: set[models.Model] = set()

    def collect(self, objs: Any, *args: Any, **options: Any) -> None:
        try:
            super().collect(objs, *args, **options)
        except ProtectedError as error:
            self.protected.update(error.protected_objects)
        except RestrictedError as error:
            self.protected.update(error.restricted_objects)

    def keys(self) -> dict[type[models.Model], set[Any]]:
        """Return the primary keys of the rows, by model."""
        keys: dict[type[models.Model], set[Any]] = defaultdict(set)
        for model, rows in self.data.items():
            keys[concrete(model)] |= {row.pk for row in rows}
        return keys


def collect(users: Users, using: str) -> CollectedRows:
    rows = CollectedRows(users, using)
    rows.collect(list(users))
    return rows


def collect_locked(users: Users, using: str) -> CollectedRows:
    """Lock the users and all that would go, and return it.

    Whoever adds a row to a locked one waits, and is then told that it is gone.
    """
    model = get_user_model()
    keys = {user.pk for user in users}
    locked: dict[type[models.Model], set[Any]] = defaultdict(set)
    lock(model, keys, using)
    for _round in range(MOST_ROUNDS):
        present = list(model._base_manager.using(using).filter(pk__in=keys))
        if len(present) < len(keys):
            raise model.DoesNotExist
        rows = collect(present, using)
        found = rows.keys()
        new = {kind: found[kind] - locked[kind] for kind in found}
        if not any(new.values()):
            return rows
        for kind in sorted(new, key=label_lower):
            lock(kind, new[kind], using)
            locked[kind] |= new[kind]
    raise IntegrityError("Rows came faster than they could be locked")


def lock(model: type[models.Model], keys: Collection[Any], using: str) -> None:
    if not connections[using].features.has_select_for_update:
        return  # the transaction has locked the whole database
    rows = model._base_manager.using(using).select_for_update().order_by("pk")
    for some_keys in batched(sorted(keys, key=str), ROWS_AT_ONCE, strict=False):
        list(rows.filter(pk__in=some_keys).values_list("pk", flat=True))


def check_left_keys(rows: CollectedRows, using: str) -> None:
    """Let the database refuse now what a key with DO_NOTHING still needs.

    It would do so at the end of the transaction, which may be the caller's.
    """
    models_of_rows = list(rows.keys())
    tables = {
        key.model._meta.db_table
        for model in models_of_rows
        for key in keys_to(model)
        if key.remote_field.on_delete is models.DO_NOTHING and key.model._meta.managed
    }
    if tables:
        connections[using].check_constraints(sorted(tables))


def label_lower(model: type[models.Model]) -> str:
    return str(model._meta.label_lower)


def concrete(model: type[models.Model]) -> type[models.Model]:
    """Return the model of the table: a proxy has none."""
    return model._meta.concrete_model or model


@dataclass
class Judge:
    """Tell whose the rows are that would go."""

    rows: CollectedRows
    lost: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    refused: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    # Where the keys of each row lead, by their names.
    ends: dict[Row, dict[str, "End"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.going = self.rows.keys()
        self.users = {user.pk for user in self.rows.users}
        self.follow_keys()
        self.of_others = self.rows_of_others()
        for model, keys in self.going.items():
            if issubclass(model, get_user_model()):
                self.refused[model, None] |= keys - self.users
                continue
            for pk in keys:
                self.judge(model, pk)
        self.add_named_rows()

    def follow_keys(self) -> None:
        """Read the keys of the rows that go, and of their parents, up to people."""
        person = concrete(get_user_model())
        new = {model: keys for model, keys in self.going.items() if model is not person}
        while new:
            parents: dict[type[models.Model], set[Any]] = defaultdict(set)
            for model, keys in new.items():
                for pk, ends in self.ends_of(model, keys).items():
                    self.ends[model, pk] = ends
                    if any(map(self.is_other_person, ends.values())):
                        continue
                    for end in ends.values():
                        is_parent = end.pk is not None and not end.is_person
                        if is_parent and end.row not in self.ends:
                            parents[end.model].add(end.pk)
            new = parents

    def rows_of_others(self) -> set[Row]:
        """Return the rows that name others, themselves or by their parents."""
        children: dict[Row, set[Row]] = defaultdict(set)
        named: set[Row] = set()
        for row, ends in self.ends.items():
            for end in ends.values():
                children[end.row].add(row)
            if any(map(self.is_other_person, ends.values())):
                named.add(row)
        waiting = list(named)
        while waiting:
            new = children[waiting.pop()] - named
            named |= new
            waiting += new
        return named

    def judge(self, model: type[models.Model], pk: Any) -> None:
        ends = self.ends.get((model, pk), {})
        names = [name for name, end in ends.items() if self.is_of_others(end)]
        is_direct = any(is_key_to_user(model, name) for name in names)
        if not is_direct and all(ends[name].goes for name in names):
            # Its parents go, and are judged themselves.
            if any(ends[name].pk in self.lost[ends[name].model] for name in names):
                self.lost[model].add(pk)
            return
        by = {name: end for name, end in ends.items() if end.is_cause}
        allowed = [name for name in by if is_allowed(model, name)]
        if not (allowed or (not by and is_allowed_generically(model))):
            self.refused[model, holder_of(by.values())].add(pk)
        elif is_direct or not any(is_key_to_user(model, name) for name in allowed):
            self.lost[model].add(pk)

    def is_other_person(self, end: "End") -> bool:
        is_named = end.is_person and end.pk is not None
        return is_named and end.pk not in self.users

    def is_of_others(self, end: "End") -> bool:
        return self.is_other_person(end) or end.row in self.of_others

    def add_named_rows(self) -> None:
        """Add rows that go, and name others by a key that would be set to null.

        They are no reason to refuse, but others lose them.
        """
        for key in keys_to(get_user_model()):
            model = concrete(key.model)
            if model not in self.going or key.remote_field.on_delete not in KEEPING:
                continue
            is_other = models.Q(**{f"{key.name}__isnull": False})
            is_other &= ~models.Q(**{f"{key.name}__pk__in": self.users})
            for rows in self.in_batches(model, self.going[model]):
                self.lost[model].update(
                    rows.filter(is_other).values_list("pk", flat=True)
                )

    def ends_of(
        self, model: type[models.Model], keys: Collection[Any]
    ) -> dict[Any, dict[str, "End"]]:
        """Return where each row's keys lead."""
        names = [key.name for key in naming_keys(model)]
        ends: dict[Any, dict[str, End]] = {}
        for rows in self.in_batches(model, keys):
            values = rows.values_list("pk", *[f"{name}__pk" for name in names])
            for pk, *targets in values:
                pairs = zip(names, targets, strict=True)
                ends[pk] = {name: self.end(model, name, pk) for name, pk in pairs}
        return ends

    def end(self, model: type[models.Model], name: str, target: Any) -> "End":
        key: Any = model._meta.get_field(name)
        parent = concrete(key.related_model)
        goes = target in self.going.get(parent, ())
        is_cause = goes and key.remote_field.on_delete not in STAYING
        return End(parent, target, goes, is_cause)

    def in_batches(
        self, model: type[models.Model], keys: Collection[Any]
    ) -> Iterator[models.QuerySet[Any]]:
        manager = model._base_manager.using(self.rows.using)
        for some_keys in batched(keys, ROWS_AT_ONCE, strict=False):
            yield manager.filter(pk__in=some_keys)

    def deletion(self) -> Deletion:
        own = {
            model: len(keys - self.lost.get(model, set()))
            for model, keys in self.going.items()
            if not (model._meta.auto_created or issubclass(model, get_user_model()))
        }
        protected: dict[Any, int] = defaultdict(int)
        for row in self.rows.protected:
            protected[concrete(type(row))] += 1
        going, staying = self.without_name()
        return Deletion(
            goes=counted({**own, **going}),
            stays=counted(staying),
            lost=counted({model: len(keys) for model, keys in self.lost.items()}),
            in_the_way=tuple(
                Rows(model, len(keys), holder)
                for (model, holder), keys in self.refused.items()
                if keys
            ),
            protected=counted(protected),
        )

    def without_name(self) -> tuple[dict[Any, int], dict[Any, int]]:
        """Return how many rows with a key that is set to null go, and how many stay."""
        going: dict[Any, int] = defaultdict(int)
        staying: dict[Any, int] = defaultdict(int)
        for key in keys_to(get_user_model()):
            model = concrete(key.model)
            if key.remote_field.on_delete in {*CASCADING, *REFUSING, models.DO_NOTHING}:
                continue
            if model in COUNTERS:
                numbers = COUNTERS[model](self.users, self.going)
                going[model] += numbers.going
                staying[model] += numbers.staying
                continue
            rows = model._base_manager.using(self.rows.using)
            keys = rows.filter(**{f"{key.name}__pk__in": self.users}).values_list("pk")
            staying[model] += len({pk for (pk,) in keys} - self.going.get(model, set()))
        return going, staying


class End(NamedTuple):
    """Where a key of a row leads."""

    model: type[models.Model]
    pk: Any
    goes: bool
    is_cause: bool  # the row goes since this one does

    @property
    def row(self) -> Row:
        return self.model, self.pk

    @property
    def is_person(self) -> bool:
        return self.model is concrete(get_user_model())


def counted(numbers: dict[Any, int]) -> tuple[Rows, ...]:
    rows = [Rows(model, number) for model, number in numbers.items() if number]
    return tuple(sorted(rows, key=lambda row: label_lower(row.model)))


def holder_of(causes: Iterable[End]) -> type[models.Model] | None:
    """Return the model of what a person can hand over, with which a row would go."""
    user = get_user_model()
    return next((end.model for end in causes if end.model is not user), None)


def naming_keys(model: type[models.Model]) -> list[Any]:
    """Return the keys by which a row relies on another."""
    keys: list[Any] = [
        key for key in model._meta.concrete_fields if key.many_to_one or key.one_to_one
    ]
    return [key for key in keys if key.remote_field.on_delete not in KEEPING]


def keys_to(model: type[models.Model]) -> list[Any]:
    """Return the keys of other rows to those of a model."""
    relations: Iterable[Any] = model._meta.get_fields(include_hidden=True)
    return [
        relation.field
        for relation in relations
        if relation.auto_created and not relation.concrete
        if relation.one_to_many or relation.one_to_one
    ]


def is_key_to_user(model: type[models.Model], name: str) -> bool:
    key: Any = model._meta.get_field(name)
    return issubclass(key.related_model, get_user_model())


def is_allowed(model: type[models.Model], name: str) -> bool:
    """Return whether rows that name others go with the row of a key."""
    if not model._meta.auto_created:
        return name in getattr(model, "deleted_with", {})
    # A row of a many-to-many field: without the person, it is the name that is gone.
    if is_key_to_user(model, name):
        return True
    holder, fields = many_to_many_of(model)
    return any(name in getattr(holder, "deleted_with", {}) for name in fields)


def many_to_many_of(through: Any) -> tuple[Any, list[str]]:
    holder = through._meta.auto_created
    fields = holder._meta.local_many_to_many
    names = [field.name for field in fields if field.remote_field.through is through]
    return holder, names


def is_allowed_generically(model: type[models.Model]) -> bool:
    """Return whether rows may go with what a generic key leads to."""
    names = {field.name for field in model._meta.private_fields}
    return bool(names & {*getattr(model, "deleted_with", {})})


def label_of(model: Any, number: int) -> Any:
    if model._meta.auto_created:
        holder, fields = many_to_many_of(model)
        names = [holder._meta.get_field(name).verbose_name for name in fields]
        text = _("entry in {} ({})") if number == 1 else _("entries in {} ({})")
        return format_lazy(text, names[0], label_of(holder, 1))
    meta = model._meta
    return meta.verbose_name if number == 1 else meta.verbose_name_plural
