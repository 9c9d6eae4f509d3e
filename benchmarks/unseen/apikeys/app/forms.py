from datetime import timedelta

from django import forms
from django.utils import timezone

from apikeys.models import SCOPES, Project


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ["name", "public"]


class KeyForm(forms.Form):
    name = forms.CharField(max_length=60)
    scopes = forms.MultipleChoiceField(choices=SCOPES, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(label="Valid for days", required=False, min_value=1, max_value=730)

    @property
    def expires_at(self):
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None
