from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connection

from uploads.models import Photo
from uploads.purposes import PURPOSES


@register(Tags.database)
def check_purposes(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Find photos whose model or field was renamed or removed. `migrate` and `check --database default` run this."""
    if not databases or Photo._meta.db_table not in connection.introspection.table_names():
        return []
    found = set(Photo.objects.not_deleted().order_by().values_list("purpose", flat=True).distinct())
    if not (unknown := sorted(found - PURPOSES.keys())):
        return []
    text = f"Photos have an unknown purpose, so only owners and reviewers see them: {', '.join(unknown)}."
    hint = "After a model or field was renamed: Photo.objects.filter(purpose=OLD).update(purpose=NEW)."
    return [Warning(text, hint=hint, id="uploads.W001")]
