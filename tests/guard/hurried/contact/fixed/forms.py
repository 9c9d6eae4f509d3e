from django import forms

from contact.models import Inquiry


class InquiryForm(forms.ModelForm):
    class Meta:
        model = Inquiry
        fields = ("name", "email", "phone", "subject", "text", "attachment")
