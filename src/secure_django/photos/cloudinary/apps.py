from django.apps import AppConfig


class CloudinaryConfig(AppConfig):
    name = "secure_django.photos.cloudinary"
    label = "secure_django_cloudinary"  # the SDK, a Django app too, has the plain label

    def ready(self) -> None:
        from secure_django.photos.cloudinary import checks  # noqa: F401
