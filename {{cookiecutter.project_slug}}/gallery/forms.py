from secure_django.photos.forms import PhotoModelForm

from gallery.models import Picture


class UploadForm(PhotoModelForm):
    most_per_owner = 1000

    class Meta:
        model = Picture
        fields = (
            "title",
            "photo",
        )
