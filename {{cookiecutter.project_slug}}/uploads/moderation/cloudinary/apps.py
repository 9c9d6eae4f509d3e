from django.apps import AppConfig


class CloudinaryConfig(AppConfig):
    name = "uploads.moderation.cloudinary"
    label = "cloudinary_moderation"  # the SDK, a Django app too, has the plain label

    def ready(self) -> None:
        from uploads.moderation.cloudinary import checks  # noqa: F401
