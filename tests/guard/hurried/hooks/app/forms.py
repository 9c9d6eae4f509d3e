from django import forms

from hooks.models import Hook


class HookForm(forms.ModelForm):
    class Meta:
        model = Hook
        fields = ("name", "url", "is_active")
