from django import forms

from market.models import Offer


class OfferForm(forms.ModelForm):
    class Meta:
        model = Offer
        fields = ("title", "text", "price", "city", "is_published")
