from django import forms

from albums.models import Album, AlbumPhoto, Greeting


class AlbumForm(forms.ModelForm):
    class Meta:
        model = Album
        fields = ("title", "note")


class AlbumPhotoForm(forms.ModelForm):
    class Meta:
        model = AlbumPhoto
        fields = ("photo", "caption")


class GreetingForm(forms.ModelForm):
    class Meta:
        model = Greeting
        fields = ("name", "text")


class ShareForm(forms.Form):
    email = forms.EmailField()
    text = forms.CharField(widget=forms.Textarea, required=False)
