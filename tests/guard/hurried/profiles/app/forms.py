from django import forms

from profiles.models import Profile


class ProfileForm(forms.ModelForm):
    class Meta:
        model = Profile
        fields = (
            "user",
            "nickname",
            "bio",
            "website",
            "phone",
            "birthday",
            "avatar",
            "banner",
            "is_verified",
        )
        widgets = {"user": forms.HiddenInput, "is_verified": forms.HiddenInput}
