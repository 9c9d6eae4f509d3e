import time

from core.jobs import job
from uploads import notices, sweeper
from uploads.services import BATCH_SIZE


@job(every=5)
def delete_files() -> bool:
    return sweeper.delete_removed_files() == BATCH_SIZE


@job(every=5)
def send_notices() -> bool:
    return notices.send_due_notices()


@job(every=300)
def sweep() -> None:
    # Each folder about once a day, also by `worker --once`, which starts anew each time.
    sweeper.sweep(int(time.time() // 300) % 256)
