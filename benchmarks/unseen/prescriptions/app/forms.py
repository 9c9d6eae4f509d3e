from django import forms

from prescriptions.models import Patient, Prescription, Repeat


class PatientForm(forms.ModelForm):
    class Meta:
        model = Patient
        exclude = ["user"]


class RepeatForm(forms.ModelForm):
    class Meta:
        model = Repeat
        fields = ["prescription", "pharmacy", "packs", "comment"]

    def __init__(self, *args, patient, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["prescription"].queryset = patient.prescriptions.all()

    def clean(self):
        data = super().clean()
        prescription = data.get("prescription")
        if prescription and prescription.repeats_left < 1:
            raise forms.ValidationError("No repeats are left. Please see your doctor.")
        return data


class ScanForm(forms.ModelForm):
    class Meta:
        model = Prescription
        fields = ["scan"]


class AnswerForm(forms.Form):
    answer = forms.CharField(required=False, max_length=1000, widget=forms.Textarea)
