from django import forms

from portal.models import Doctor, Patient, Visit


class VisitForm(forms.ModelForm):
    class Meta:
        model = Visit
        fields = ("doctor", "patient", "diagnosis", "private_note", "is_signed")


class DoctorForm(forms.ModelForm):
    class Meta:
        model = Doctor
        fields = ("name",)


class PatientForm(forms.ModelForm):
    class Meta:
        model = Patient
        fields = ("name", "birthday", "insurance_number", "doctor")
