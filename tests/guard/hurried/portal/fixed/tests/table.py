"""Who gets which response from each URL of this app: see secure_django/guard/access.py."""

from typing import Any

from portal.models import Doctor, Patient, Visit
from users.models import User

ROWS = """
/portal/                                     log-in  200     200     200     200  # owner, patient: name: a doctor and a patient
/portal/create/                              log-in  200     200     404     404     404  # owner, other: name, is_signed: doctors sign visits of their patients
/portal/history/                             log-in  404     404     404     404  # owner: name: doctors see their patients
/portal/patients/                            log-in  200     200     200     200
/portal/patients/<patient_pk>/               log-in  200     404     404     404     200  # owner, patient: insurance_number: patients and their doctors # all: name, writes: patients choose a doctor
/portal/doctor/                              log-in  200     200     200     200
/portal/patient/                             log-in  200     200     200     200  # all: name, writes: patients choose a doctor
/portal/<pk>/                                log-in  200     404     404     404     200  # patient: diagnosis, name, reply: it is about them # owner: name: it is their patient
/portal/<pk>/edit/                           log-in  200     404     404     404  # owner: name, is_signed: doctors sign visits of their patients
/portal/<pk>/delete/                         log-in  away    404     404     404
/portal/<pk>/reply/                          log-in  200     404     404     404     200  # patient: reply, writes: patients reply to it
/admin/portal/doctor/                        log-in  log-in  log-in  403     403
/admin/portal/doctor/add/                    log-in  log-in  log-in  403     403
/admin/portal/doctor/<object_id>/delete/     log-in  log-in  log-in  403     403
/admin/portal/doctor/<object_id>/change/     log-in  log-in  log-in  403     403
/admin/portal/patient/                       log-in  log-in  log-in  403     403
/admin/portal/patient/add/                   log-in  log-in  log-in  403     403
/admin/portal/patient/<object_id>/delete/    log-in  log-in  log-in  403     403
/admin/portal/patient/<object_id>/change/    log-in  log-in  log-in  403     403
"""


def objects(owner: User, patient: User) -> dict[str, Any]:
    doctor = Doctor.objects.create(user=owner, name="Dr. House")
    ann = Patient.objects.create(user=patient, name="Ann", doctor=doctor)
    visit = Visit.objects.create(doctor=doctor, patient=ann, diagnosis="Flu")
    return {"pk": visit.pk, "patient_pk": ann.pk, "object_id": doctor.pk}
