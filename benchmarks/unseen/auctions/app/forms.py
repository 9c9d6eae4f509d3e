from django import forms
from django.utils import timezone
from secure_django.photos.forms import PhotoModelForm

from auctions.models import Auction, Message


class AuctionForm(PhotoModelForm):
    class Meta:
        model = Auction
        fields = ["title", "description", "photo", "start_price", "min_step"]
        fields += ["reserve_price", "pickup_address", "ends_at"]

    def clean_ends_at(self):
        ends_at = self.cleaned_data["ends_at"]
        if ends_at <= timezone.now():
            raise forms.ValidationError("The end must be in the future.")
        return ends_at

    def clean(self):
        data = super().clean()
        if not data.get("photo") and not data.get("description"):
            raise forms.ValidationError("Add a photo or a description.")
        return data


class AuctionEditForm(forms.ModelForm):
    class Meta:
        model = Auction
        exclude = ["seller", "winner", "photo", "created_at"]


class MessageForm(forms.ModelForm):
    class Meta:
        model = Message
        fields = ["text", "attachment"]
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}


class ImportForm(forms.Form):
    url = forms.CharField(label="Address of your ad on another site")
