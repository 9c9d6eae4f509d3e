from profiles.models import Profile
from secure_django.photos.forms import PhotoModelForm


class ProfileForm(PhotoModelForm):
    class Meta:
        model = Profile
        fields = (
            "nickname",
            "bio",
            "website",
            "phone",
            "birthday",
            "avatar",
            "banner",
        )
