"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from portal.models import Doctor, Patient, Visit
from users.models import User

ROWS = """
/portal/                                     log-in  200     200     200     200
/portal/create/                              log-in  200     200     200     200
/portal/history/                             log-in  404     404     404     404
/portal/patients/                            log-in  200     200     200     200
/portal/patients/<patient_pk>/               log-in  200     404     404     404
/portal/doctor/                              log-in  200     200     200     200
/portal/patient/                             log-in  200     200     200     200
/portal/<pk>/                                log-in  200     404     404     404
/portal/<pk>/edit/                           log-in  200     404     404     404
/portal/<pk>/delete/                         log-in  away    404     404     404
/portal/<pk>/reply/                          log-in  200     404     404     404
/admin/portal/doctor/                        log-in  log-in  log-in  403     403
/admin/portal/doctor/add/                    log-in  log-in  log-in  403     403
/admin/portal/doctor/<object_id>/delete/     log-in  log-in  log-in  403     403
/admin/portal/doctor/<object_id>/change/     log-in  log-in  log-in  403     403
/admin/portal/patient/                       log-in  log-in  log-in  403     403
/admin/portal/patient/add/                   log-in  log-in  log-in  403     403
/admin/portal/patient/<object_id>/delete/    log-in  log-in  log-in  403     403
/admin/portal/patient/<object_id>/change/    log-in  log-in  log-in  403     403
"""


def objects(owner: User) -> dict[str, Any]:
    doctor = Doctor.objects.create(user=owner, name="Dr. House")
    patient = Patient.objects.create(user=owner, name="Ann", doctor=doctor)
    visit = Visit.objects.create(doctor=doctor, patient=patient, diagnosis="Flu")
    return {"pk": visit.pk, "patient_pk": patient.pk, "object_id": doctor.pk}
