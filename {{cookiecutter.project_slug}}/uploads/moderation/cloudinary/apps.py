from django.apps import AppConfig


class CloudinaryConfig(AppConfig):
    name = "uploads.moderation.cloudinary"
    # The SDK is installed as a Django app too and has the plain label.
    label = "cloudinary_moderation"

    def ready(self) -> None:
        from uploads.moderation.cloudinary import checks  # noqa: F401
