"""What goes with an account, and whether rows that name others go too.

A row names the people to whom its keys lead, itself or by its parents. A key that
becomes empty names nobody, unless its name says whose the row is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NamedTuple

from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction

from secure_django.guard.exemptions import ALLOWED
from secure_django.guard.keys import (
    is_history,
    is_named_as_owner,
    leads_to_user,
    parent_links,
    relations,
)
from secure_django.guard.making import (
    Maker,
    NotMadeError,
    content_type_of,
    create,
    in_words,
    make_user,
)
from secure_django.guard.rows import ALLOWED_BY, OWN_MODELS, update_row
from secure_django.guard.tables import is_own_app, named
from secure_django.guard.users import User
from secure_django.guard.world import World

type Row = models.Model
type Model = type[models.Model]


def of_django(*names: str) -> set[Any]:
    """Return what django.db.models has of these names: some since Django 6.1."""
    return {getattr(models, name) for name in names if hasattr(models, name)}


EMPTYING = of_django("SET_NULL", "DB_SET_NULL", "SET_DEFAULT", "DB_SET_DEFAULT")
KEEPING = EMPTYING | of_django("PROTECT", "RESTRICT", "DO_NOTHING")
# How often a person hands over what keeps the account, before it goes.
ROUNDS = 20


class GenericKey(NamedTuple):
    """A generic key to rows of a model that take its own rows along."""

    model: Model
    name: str
    related_model: Model
    columns: tuple[str, str]  # of the kind of the other row, and of its key


class Loss(NamedTuple):
    """Rows that name somebody else, and go with an account."""

    model: Model
    key: Any  # by which they go
    path: tuple[str, ...]  # the keys from it to the person who goes
    named_by: tuple[str, ...]  # the keys to the person who stays
    number: int

    @property
    def allowance(self) -> str:
        """Return the label of what may say why the rows go.

        For a many-to-many field, the model of the field says it.
        """
        through: Any = self.model
        holder = through._meta.auto_created
        if not holder:
            return f"{through._meta.label}.{self.key.name}"
        fields = holder._meta.local_many_to_many
        names = [field.name for field in fields if through is table_of(field)]
        return f"{holder._meta.label}.{names[0]}"

    @property
    def text(self) -> str:
        name = self.model.__name__
        keys = " and ".join(self.path)
        return f"{name} that names another person goes with an account by {keys}"

    @property
    def sentence(self) -> str:
        """Return what goes, and what to do unless the model lets it go."""
        if self.allowance not in ALLOWED:
            return f"{self.text}: {self.remedy}"
        rows = "1 row" if self.number == 1 else f"{self.number} rows"
        label = f"{{{ALLOWED_BY} {self.allowance}}}"
        return f"{self.text}, {rows}: {ALLOWED[self.allowance]}{label}"

    @property
    def is_of_parent(self) -> bool:
        """Return whether it is the person's own row, on what is somebody else's."""
        return len(self.path) == 1 < len(self.named_by)

    @property
    def remedy(self) -> str:
        if self.is_of_parent:
            shared = self.named_by[-1]
            return f"set SET_NULL on {shared}, or name {self.key.name} in {ALLOWED_BY}"
        return f"set SET_NULL or PROTECT on {self.path[-1]}"


def is_asked_about(model: Model) -> bool:
    is_own = is_own_app(model._meta.app_config)
    return is_own and model is not User and not is_history(model)


def own_models() -> list[Model]:
    return [model for model in OWN_MODELS if is_asked_about(model)]


def takes(key: Any) -> bool:
    """Return whether a row may go with the one that its key names.

    A function of the project's own may take it.
    """
    on_delete = on_delete_of(key)
    is_set = hasattr(on_delete, "deconstruct")  # by models.SET()
    return on_delete not in KEEPING and not is_set


def is_lasting(key: Any) -> bool:
    return on_delete_of(key) not in EMPTYING


def on_delete_of(key: Any) -> Any:
    is_generic = isinstance(key, GenericKey)
    return models.CASCADE if is_generic else key.remote_field.on_delete


def table_of(field: Any) -> Model:
    """Return the model of the rows of a many-to-many field."""
    through: Model = field.remote_field.through
    return through


@cache
def keys_of(model: Model) -> list[Any]:
    """Return all keys, generic ones too, if they are of models of the project."""
    fields = [field for field in model._meta.private_fields if is_generic_key(field)]
    generic_keys = [
        GenericKey(model, field.name, target, (field.ct_field, field.fk_field))
        for field in fields
        for target in OWN_MODELS
        if takes_generically(target, model)
    ]
    return [*relations(model), *generic_keys]


def is_generic_key(field: Any) -> bool:
    return hasattr(field, "ct_field")


def takes_generically(target: Model, model: Model) -> bool:
    """Return whether rows of a model go with what their generic keys lead to."""
    fields = target._meta.private_fields
    back = [field for field in fields if not is_generic_key(field)]
    return model in {field.related_model for field in back}


def taking_keys(model: Model) -> list[Any]:
    keys = [*keys_of(model), *parent_links(model)]
    return [key for key in keys if takes(key)]


def stands_for_user(model: Model) -> bool:
    """Return whether each row is one user's alone, as a profile is."""
    keys = [key for key in relations(model) if key.related_model is User]
    return model is User or any(key.unique for key in keys)


@cache
def path_to_people(model: Model, seen: frozenset[Any]) -> tuple[str, ...]:
    """Return the shortest way of keys from a row to somebody whom it names, or none."""
    paths = [naming_path(key, seen) for key in keys_of(model) if is_lasting(key)]
    return min(filter(None, paths), key=len, default=())


def naming_path(key: Any, seen: frozenset[Any] = frozenset()) -> tuple[str, ...]:
    """Return the shortest way of keys to somebody, which begins with this one."""
    label = label_of(key)
    target = key.related_model
    if target is User:
        return (label,)
    if target in seen:
        return ()
    rest = path_to_people(target, seen | {target})
    return (label, *rest) if rest else ()


def label_of(key: Any) -> str:
    return f"{key.model.__name__}.{key.name}"


def is_of_one_user(key: Any) -> bool:
    """Return whether a table says that both ends of a key are always one user's."""
    return label_of(key) in named("SAME_USER")


def naming_keys(model: Model) -> list[Any]:
    """Return the keys that lead to people, and may lead to different ones."""
    return [key for key in keys_of(model) if names_somebody(key)]


def names_somebody(key: Any) -> bool:
    if is_of_one_user(key):
        return False
    is_of_row = key.related_model is User and is_named_as_owner(key.name)
    return is_of_row or (is_lasting(key) and bool(naming_path(key)))


def may_go_by(key: Any) -> bool:
    """Return whether rows of others may go by a key.

    A row of a many-to-many field that goes with its person is that person's name.
    """
    is_of_field = bool(key.model._meta.auto_created)
    is_name = is_of_field and stands_for_user(key.related_model)
    return takes(key) and not is_name


def path_to(row: Row, key: Any, owner: Row) -> tuple[str, ...]:
    """Return the shortest way of keys by which a row goes with an account, or none.

    It begins with this key.
    """
    path: tuple[str, ...] = (label_of(key),)
    waiting = deque([(row, key, path)])
    seen = {row}
    while waiting:
        present, present_key, path = waiting.popleft()
        target = target_of(present, present_key)
        if isinstance(target, User) and target.pk == owner.pk:
            return path
        if target is None or target in seen:
            continue
        seen.add(target)
        for next_key in taking_keys(type(target)):
            waiting.append((target, next_key, (*path, label_of(next_key))))
    return ()


def target_of(row: Row, key: Any) -> Row | None:
    """Return the row to which a key leads, if it leads to one."""
    with suppress(ObjectDoesNotExist):
        target: Row | None = getattr(row, key.name)
        return target
    return None


class Deletion:
    """Deletions of the account of an app's owner, each taken back at once."""

    def __init__(self, world: World, app: str) -> None:
        self.shared = world.shared
        self.rows = world.rows[app]
        self.owner = world.people[app]["owner"]
        self.app = app
        self.unmade: dict[Model, str] = {}  # the reasons

    def losses(self) -> Iterator[Loss]:
        """Yield which rows go though they name somebody else."""
        for model in own_models():
            keys = naming_keys(model)
            if model._meta.app_config.name == self.app and len(keys) > 1:
                losses = [
                    loss
                    for key in filter(may_go_by, keys)
                    for loss in self.losses_by(model, key, keys)
                ]
                yield from without_consequences(losses)

    def losses_by(self, model: Model, key: Any, keys: Sequence[Any]) -> Iterator[Loss]:
        """Yield what becomes of a row of which one key leads to the owner."""
        with rolled_back():
            row = self.try_row(model, key, keys)
            if row is None:
                return
            path = path_to(row, key, self.owner)
            rows = [each for each in rows_of(model) if path_to(each, key, self.owner)]
            is_deleted = delete_account(self.owner, [row]).is_deleted
            gone = [each for each in rows if not is_present(each)]
        if is_deleted and row in gone:
            yield Loss(model, key, path, shortest_path(key, keys), len(gone))

    def try_row(self, model: Model, key: Any, keys: Sequence[Any]) -> Row | None:
        """Return such a row, or keep the reason why there is none."""
        try:
            return self.make_row(model, key, keys)
        except Exception as error:  # whatever it is, it is said
            self.unmade[model] = in_words(error)
            return None

    def target_of_owner(self, key: Any, of_owner: Maker) -> Row:
        """Return the owner's row to which a key leads. One of a role's is not."""
        target = target_by(key, of_owner)
        if goes_with(target, self.owner):
            return target
        return target_by(key, Maker({"owner": self.owner}, self.shared))

    def make_row(self, model: Model, key: Any, keys: Sequence[Any]) -> Row:
        """Return a row of which one key leads to the owner, and others to another."""
        of_owner = Maker({"owner": self.owner}, self.shared)
        for row in self.rows:
            of_owner.keep(row)
        of_other = Maker({"owner": make_user()}, self.shared)
        targets = {other: target_by(other, of_other) for other in keys}
        targets[key] = self.target_of_owner(key, of_owner)
        present_row = of_owner.rows.get(model)
        if present_row is not None and present_row not in targets.values():
            update_row(present_row, columns_of(targets))
            made = model._base_manager.get(pk=present_row.pk)
        else:
            made = create(model, of_owner.keys(model) | columns_of(targets))
        if not path_to(made, key, self.owner):
            message = f"its key {key.name} leads to no row of the owner"
            raise NotMadeError(message)
        return made


def shortest_path(key: Any, keys: Sequence[Any]) -> tuple[str, ...]:
    """Return the shortest way to somebody else, by another key than this."""
    paths = [naming_path(other) or (label_of(other),) for other in keys]
    return min((path for path in paths if path[0] != label_of(key)), key=len)


def goes_with(row: Row, owner: Row) -> bool:
    """Return whether a row may go with an account, or is the account."""
    keys = taking_keys(type(row))
    return row == owner or any(path_to(row, key, owner) for key in keys)


def target_by(key: Any, maker: Maker) -> Row:
    """Return the row of a person's to which a key leads."""
    target = maker.row_of(key.related_model)
    if target is None:
        raise NotMadeError(maker.reason_without(key))
    return target


def columns_of(targets: dict[Any, Row]) -> dict[str, Any]:
    """Return the values of keys that lead to these rows."""
    values: dict[str, Any] = {}
    for key, row in targets.items():
        if isinstance(key, GenericKey):
            pair = zip(key.columns, (content_type_of(type(row)), row.pk), strict=True)
            values.update(pair)
        else:
            values[key.name] = row
    return values


def without_consequences(losses: list[Loss]) -> Iterator[Loss]:
    """Yield losses, but none that ends with another one."""
    ends = {loss.path[-1] for loss in losses if loss.allowance not in ALLOWED}
    for loss in losses:
        if not (loss.is_of_parent and loss.named_by[-1] in ends):
            yield loss


def rows_of(model: Model) -> list[Row]:
    return list(model._base_manager.all())


def is_shared(row: Row) -> bool:
    """Return whether somebody else may have a part in a row.

    It may name two people, or be on a row of somebody else, or have one on it.
    """
    model = type(row)
    people = [key for key in relations(model) if stands_for_user(key.related_model)]
    with_people = [other for other in own_models() if leads_to_user_itself(other)]
    is_parent = any(is_on(other, model) for other in with_people)
    is_child = any(is_on(model, target) for target in own_models())
    return len(people) > 1 or is_parent or is_child


def leads_to_user_itself(model: Model) -> bool:
    return any(stands_for_user(key.related_model) for key in relations(model))


def is_on(model: Model, target: Model) -> bool:
    """Return whether a row may be on a row of somebody else, by a key of its own."""
    keys = [key for key in relations(model) if not is_of_one_user(key)]
    return leads_to_user(target) and target in {key.related_model for key in keys}


def is_present(row: Row) -> bool:
    return type(row)._base_manager.filter(pk=row.pk).exists()


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Outcome(NamedTuple):
    is_deleted: bool
    handed_over: list[Row]  # what would have kept the account


def delete_account(user: Any, of_others: Sequence[Row] = ()) -> Outcome:
    """Delete an account. What keeps it is handed over first.

    Rows of others that keep it are not: then the account stays, and a page says so.
    """
    account = User._base_manager.filter(pk=user.pk)
    handed_over: list[Row] = []
    for _ in range(ROUNDS):
        keeping = rows_that_keep(account)
        if not keeping or not hand_over(keeping, user, of_others):
            break
        handed_over += keeping
    return Outcome(not account.exists(), handed_over)


def rows_that_keep(account: models.QuerySet[Any]) -> list[Row]:
    """Delete an account, or return the rows that keep it."""
    try:
        with transaction.atomic():
            account.get().delete()
    except models.ProtectedError as error:
        return [*error.protected_objects]
    except models.RestrictedError as error:
        return [*error.restricted_objects]
    return []


def hand_over(rows: Sequence[Row], user: Any, of_others: Sequence[Row]) -> bool:
    """Give rows to somebody else, or delete those that name nobody.

    Return whether that was possible, and took nothing of others.
    """
    if any(row in of_others for row in rows):
        return False
    try:
        with transaction.atomic():
            for row in rows:
                give_away(row, user)
    except Exception:  # of a constraint, or of what needs the row
        return False
    return all(map(is_present, of_others))


def give_away(row: Row, user: Any) -> None:
    keys = [key for key in relations(type(row)) if key.related_model is User]
    of_user = [key for key in keys if getattr(row, key.attname) == user.pk]
    if of_user:
        update_row(row, {key.name: make_user() for key in of_user})
    else:
        row.delete()
