from django import forms
from django.contrib.auth import get_user_model

from expenses.models import Claim, Comment, Item

RECEIPT_NEEDED_FROM = 50  # euro


class ClaimForm(forms.ModelForm):
    class Meta:
        model = Claim
        fields = ["title", "manager", "iban"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["manager"].queryset = get_user_model().objects.filter(is_active=True)

    def clean_iban(self):
        iban = self.cleaned_data["iban"].replace(" ", "").upper()
        if len(iban) < 15 or not iban.isalnum():
            raise forms.ValidationError("This is not an IBAN.")
        return iban


class ItemForm(forms.ModelForm):
    class Meta:
        model = Item
        fields = ["date", "description", "amount", "currency", "rate", "receipt"]
        widgets = {"date": forms.DateInput(attrs={"type": "date"})}

    def clean(self):
        data = super().clean()
        amount = data.get("amount")
        if amount and amount > RECEIPT_NEEDED_FROM and not data.get("receipt"):
            self.add_error("receipt", f"We need a receipt from {RECEIPT_NEEDED_FROM} EUR.")
        return data


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["text", "internal"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}
