from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations import operations as it
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field

# What the running release does not notice, and what it misses.
INDEXES = (it.AddIndex, it.RemoveConstraint, it.RemoveIndex, it.RenameIndex)
HARMLESS = (
    *INDEXES,
    it.AlterModelManagers,
    it.AlterModelOptions,
    it.AlterModelTableComment,
    it.CreateModel,
)
GONE = (
    it.AlterModelTable,
    it.DeleteModel,
    it.RemoveField,
    it.RenameField,
    it.RenameModel,
)
OF_FIELD = (it.AlterField, it.RemoveField, it.RenameField)
# What a column does not have.
NOT_OF_COLUMN = {"default", *Field.non_db_attrs} - {"db_column"}


class Command(BaseCommand):
    help = (
        "Name the unapplied migrations, and what they do to a release"
        " that runs meanwhile and does not know them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        graph = executor.loader.graph
        applied = [
            key for key in graph.nodes if key in executor.loader.applied_migrations
        ]
        before = executor.loader.project_state(applied)
        for migration, _ in executor.migration_plan(graph.leaf_nodes()):
            self.stdout.write(str(migration))
            for operation in migration.operations:
                for danger in dangers(operation, migration.app_label, before):
                    self.stdout.write(f"  {operation.describe()}: {danger}")


def dangers(operation: Operation, app: str, before: ProjectState) -> Iterator[str]:
    """Yield what a release with the old models does once the operation is applied."""
    name = getattr(operation, "old_name", getattr(operation, "name", ""))
    model = before.models.get((app, getattr(operation, "model_name", name).lower()))
    if isinstance(operation, it.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from dangers(inner, app, before)
    elif isinstance(operation, it.RunSQL | it.RunPython):
        yield "read it: it changes rows while the running release does"
    elif (
        isinstance(operation, HARMLESS)
        or not model
        or (isinstance(operation, OF_FIELD) and name not in model.fields)
    ):
        return  # the running release knows nothing of it
    elif isinstance(operation, GONE):
        yield "the running release fails where it reads or writes it"
    elif isinstance(operation, it.AddField):
        field = operation.field
        if not (
            field.null
            or field.many_to_many
            or field.generated
            or field.has_db_default()
        ):
            yield (
                "the running release fails where it adds a row:"
                " the column needs db_default"
            )
    elif isinstance(operation, it.AlterField):
        old, new = map(column, (model.fields[name], operation.field))
        changed = {key for key in old | new if old.get(key) != new.get(key)} - (
            {"null", "db_default"} - old.keys()
        )
        if changed:
            yield (
                "the running release may write what the column does not take"
                f" ({', '.join(sorted(changed))})"
            )
    else:
        yield "the running release may write rows that it refuses"


def column(field: Field) -> dict[str, Any]:
    """Return the options of the field that its column has."""
    _, path, _, options = field.deconstruct()
    return {"type": path} | {
        name: value for name, value in options.items() if name not in NOT_OF_COLUMN
    }
