from typing import Any

from bank.models import Order, Seat, Voucher

NAMES = ("page", "order", "export", "file", "look", "due", "choose")
CHANGES = ("tell", "leave", "sell", "bid", "book", "loop", "back", "end")
PAIRS = [
    line
    for suffix in ("", "-unsafe")
    for line in (
        *(f"/bank/{name}{suffix}/ log-in 200 200 200" for name in NAMES),
        *(f"/bank/{name}{suffix}/ log-in away away away" for name in CHANGES),
        f"/bank/api{suffix}/ log-in 400 400 400",
        f"/bank/remind{suffix}/ 200 200 200 200",
        f"/bank/enroll{suffix}/ 200 200 200 200",
        f"/bank/count{suffix}/ log-in 400 400 400",
        f"/bank/unlock{suffix}/ log-in 403 403 403",
        f"/bank/day{suffix}/<code>/ log-in 200 200 200 # all: page: it is public",
        f"/bank/voucher{suffix}/<token>/ 200 200 200 200 # all: page, writes: links",
    )
]
ROWS = "\n".join(PAIRS)


def objects(owner: Any) -> dict[str, Any]:
    Order.objects.create(customer=owner, note="Twelve eggs")
    Seat.objects.create(owner=owner, number="7a")
    voucher = Voucher.objects.create(owner=owner)
    return {"code": "2026-12-01", "token": voucher.token}
