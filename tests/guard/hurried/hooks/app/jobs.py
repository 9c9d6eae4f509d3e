import logging

from secure_django.jobs import job
from hooks.models import Hook
from hooks.sending import deliver

logger = logging.getLogger(__name__)


@job(every=3600)
def send_hourly_reports() -> None:
    for hook in Hook.objects.filter(is_active=True):
        try:
            deliver(hook, "hourly")
        except Exception:
            logger.exception("hook %s with secret %s failed", hook.url, hook.secret)
