"""Known devices: browsers in which an account has logged in.

The wrong passwords of others do not shut them out (OWASP: Slow Down Online Guessing
Attacks with Device Cookies).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from secure_django.clock import CLOCK_DIFFERENCE
from secure_django.login.models import Device
from secure_django.user import User

__all__ = [
    "device_of_form",
    "find_device",
    "forget_device",
    "forget_devices",
    "keep_browser_known",
    "remember_device",
]

MOST_DEVICES = 5  # of an account
LIFETIME = timedelta(days=180)  # after the last log-in
SALT = "secure_django.device"
# A form asks several times: for its turn, and for its limits.
FOUND = "found_device"


def find_device(request: HttpRequest, email: str) -> Device | None:
    """Return the device if the request's cookie is one of the account with this email.

    The cookie of another account is that of an unknown device. The time that this takes
    depends on the cookie alone: it does not reveal whether an account exists.
    """
    if FOUND not in request.__dict__:
        setattr(request, FOUND, read_device(request))
    device: Device | None = getattr(request, FOUND)
    if device and device.user.email == email.strip().lower():
        return device
    return None


def device_of_form(request: HttpRequest) -> Device | None:
    """Return the known device of the account that a form names, or is for."""
    user: Any = request.user
    email = user.email if user.is_authenticated else request.POST.get("login", "")
    return find_device(request, email)


def read_device(request: HttpRequest) -> Device | None:
    """Return the known device of the request's cookie, whoever its account is."""
    name = settings.DEVICE_COOKIE_NAME
    text = request.get_signed_cookie(name, None, SALT, max_age=LIFETIME) or ""
    key, _, password_digest = text.partition(".")
    if not password_digest:
        return None
    device = Device.objects.known().select_related("user").filter(key=key).first()
    if device and has_digest(device.user, password_digest):
        return device
    return None


def has_digest(user: User, digest: str) -> bool:
    """Return whether the user still has the password from which a digest was made.

    So a new password ends all devices, wherever it was set.
    """
    present = user.get_session_auth_hash()
    digests = [present, *user.get_session_auth_fallback_hash()]  # of older SECRET_KEYs
    return any(constant_time_compare(digest, it) for it in digests)


def remember_device(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Keep the browser as a known device of the account."""
    device = find_device(request, user.email) or Device(user=user)
    store_device(response, device)


def store_device(response: HttpResponse, device: Device) -> None:
    """Store a device that was just used, and its cookie in the browser."""
    user = device.user
    device.failures = 0
    device.used_at = timezone.now()
    device.save()
    devices = Device.objects.filter(user=user).order_by("-used_at", "-pk")
    # Those of a clock that ran ahead would push out the next one.
    ahead = devices.filter(used_at__gt=device.used_at + CLOCK_DIFFERENCE)
    ahead.update(used_at=device.used_at - CLOCK_DIFFERENCE)
    surplus = list(devices.values_list("pk", flat=True)[MOST_DEVICES:])
    Device.objects.filter(pk__in=surplus).delete()
    response.set_signed_cookie(
        settings.DEVICE_COOKIE_NAME,
        f"{device.key}.{user.get_session_auth_hash()}",
        SALT,
        max_age=LIFETIME,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",  # only forms of this site need it
    )


def forget_device(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Make the browser an unknown device."""
    device = find_device(request, user.email)
    if device:
        device.delete()
        response.delete_cookie(settings.DEVICE_COOKIE_NAME)


def forget_devices(user: Any) -> None:
    """Make all devices of an account unknown, until the next log-in in each."""
    Device.objects.filter(user=user).delete()


def keep_browser_known(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """Give a known browser a new cookie if the view forgets the account's devices.

    The old one stays forgotten: somebody may have copied it.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        device = device_of_form(request) if request.method == "POST" else None
        response = view(request, *args, **kwargs)
        user: Any = request.user
        if not device or not user.is_authenticated:
            return response
        if not Device.objects.filter(pk=device.pk).exists():
            store_device(response, Device(user=user))
        return response

    return wrapper
