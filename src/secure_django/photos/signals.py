"""Signals about photos.

@receiver(photo_decided)
def tell_followers(photo: Photo, status: str, **kwargs: object) -> None: ...
"""

from django.dispatch import Signal

__all__ = ["photo_decided"]

# Sent with `photo` and `status` (Status.APPROVED or Status.REJECTED) when verdicts or a
# reviewer have changed the status, after the transaction. An error in a receiver is
# logged, and changes nothing. A photo without moderation is never decided.
photo_decided = Signal()
