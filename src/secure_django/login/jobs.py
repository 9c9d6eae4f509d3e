from django.utils import timezone

from secure_django.jobs import job
from secure_django.login.devices import LIFETIME
from secure_django.login.models import Device


@job(every=300)
def delete_expired() -> None:
    """Delete the devices whose cookies have expired."""
    Device.objects.filter(used_at__lt=timezone.now() - LIFETIME).delete()
