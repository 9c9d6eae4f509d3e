from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field

# Nothing that the running release reads or writes.
HARMLESS = (
    operations.AddIndex,
    operations.AlterModelManagers,
    operations.AlterModelOptions,
    operations.AlterModelTableComment,
    operations.CreateModel,
    operations.RemoveConstraint,
    operations.RemoveIndex,
    operations.RenameIndex,
)
OF_FIELD = (operations.AlterField, operations.RemoveField, operations.RenameField)
# Of a field, what the table does not have.
UNSEEN = {"default", *Field.non_db_attrs} - {"db_column"}
GONE = (
    operations.AlterModelTable,
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
)


class Command(BaseCommand):
    help = "Name the unapplied migrations, and what they do to a release that runs meanwhile and does not know them."

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        graph = executor.loader.graph
        before = executor.loader.project_state(
            [key for key in graph.nodes if key in executor.loader.applied_migrations]
        )
        for migration, _ in executor.migration_plan(graph.leaf_nodes()):
            self.stdout.write(str(migration))
            for operation in migration.operations:
                for danger in dangers(operation, migration.app_label, before):
                    self.stdout.write(f"  {operation.describe()}: {danger}")


def dangers(operation: Operation, app: str, before: ProjectState) -> Iterator[str]:
    """Yield what a release with the models of before would do, once the operation is applied."""
    name = getattr(operation, "old_name", getattr(operation, "name", ""))
    model = before.models.get((app, getattr(operation, "model_name", name).lower()))
    if isinstance(operation, operations.SeparateDatabaseAndState):
        for inner in operation.database_operations:
            yield from dangers(inner, app, before)
    elif isinstance(operation, operations.RunSQL | operations.RunPython):
        yield "read it: it changes rows while the running release does"
    elif isinstance(operation, HARMLESS) or not model or (isinstance(operation, OF_FIELD) and name not in model.fields):
        return  # the running release knows nothing of it
    elif isinstance(operation, GONE):
        yield "the running release fails where it reads or writes it"
    elif isinstance(operation, operations.AddField):
        new = operation.field
        if not (new.null or new.many_to_many or new.generated or new.has_db_default()):
            yield "the running release fails where it adds a row: the column needs db_default"
    elif isinstance(operation, operations.AlterField):
        old, altered = map(properties, (model.fields[name], operation.field))
        if changed := sorted(key for key in old | altered if old.get(key) != altered.get(key)):
            yield f"the running release may write what the column no longer takes ({', '.join(changed)})"
    else:
        yield "the running release may write rows that it refuses"


def properties(field: Field) -> dict[str, Any]:
    """Return what makes the column."""
    _, path, _, options = field.deconstruct()
    return {"type": path} | {name: value for name, value in options.items() if name not in UNSEEN}
