"""What becomes of the tasks of a deleted account."""

from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from secure_django.models import QueuedTask
from secure_django.user import User


@receiver(post_delete, sender=User)
def delete_ended_tasks(instance: User, **kwargs: Any) -> None:
    """Delete the rows of ended tasks, whose arguments hold personal data.

    A task that waits still runs: it may be what deletes data of the account elsewhere.
    Its row is deleted a week after its end, like all.
    """
    QueuedTask.objects.filter(owner=str(instance.pk), due_at=None).delete()
