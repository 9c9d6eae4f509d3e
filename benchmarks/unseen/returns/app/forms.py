import re

from django import forms

from returns.models import Return

ALLOWED = (".pdf", ".jpg", ".jpeg", ".png")


def clean_iban(value):
    iban = value.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", iban):
        raise forms.ValidationError("This is not an IBAN.")
    return iban


class ReturnForm(forms.ModelForm):
    class Meta:
        model = Return
        fields = ["reason", "comment", "amount", "account_holder", "iban"]
        widgets = {"amount": forms.HiddenInput}

    def clean_iban(self):
        return clean_iban(self.cleaned_data["iban"])


class IbanForm(forms.ModelForm):
    class Meta:
        model = Return
        fields = ["account_holder", "iban"]

    def clean_iban(self):
        return clean_iban(self.cleaned_data["iban"])


class DocumentForm(forms.Form):
    files = forms.FileField(label="PDF or photo")

    def clean_files(self):
        file = self.cleaned_data["files"]
        if not any(ending in file.name.lower() for ending in ALLOWED):
            raise forms.ValidationError("Upload a PDF, JPG or PNG.")
        return file


class DecisionForm(forms.ModelForm):
    class Meta:
        model = Return
        fields = ["status", "amount", "note", "internal_note"]
