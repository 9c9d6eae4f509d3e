from core.jobs import job
from uploads import notices, sweeper
from uploads.services import BATCH_SIZE


@job(every=5)
def delete_files() -> bool:
    return sweeper.delete_removed_files() == BATCH_SIZE


@job(every=5)
def send_notices() -> None:
    notices.send_due_notices()


@job(every=sweeper.TURN_SECONDS)
def sweep() -> None:
    sweeper.sweep(sweeper.current_turn())
