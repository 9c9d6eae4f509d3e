from django import forms

from appointments.models import Appointment, Note


class BookForm(forms.ModelForm):
    class Meta:
        model = Appointment
        fields = ["reason"]
        widgets = {"reason": forms.Textarea(attrs={"rows": 3})}


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["text", "for_patient"]


class SlotsForm(forms.Form):
    first = forms.DateTimeField(label="Begin of the first slot")
    last = forms.DateTimeField(label="End of the last slot")
    minutes = forms.IntegerField(min_value=1, initial=20)
