"""The wiring of moderation by Cloudinary.

    from secure_django.photos.cloudinary.defaults import *

It extends secure_django.conf.defaults, so it comes after these.
"""

from secure_django.conf import defaults, env, items
from secure_django.photos.cloudinary.environment import kinds, url

# Without an account of Cloudinary, staff review photos during development.
CLOUDINARY = env.read("CLOUDINARY_URL", url, env.in_debug(""))
CLOUDINARY_API_SECRET_FALLBACKS = env.read("CLOUDINARY_API_SECRET_FALLBACKS", items, "")
CLOUDINARY_MODERATION = env.read(
    "CLOUDINARY_MODERATION", kinds, "aws_rek|perception_point"
)

PHOTO_MODERATION_BACKEND = (
    "secure_django.photos.cloudinary.backend.CloudinaryBackend"
    if CLOUDINARY
    else defaults.PHOTO_MODERATION_BACKEND
)
PHOTO_HOSTS = defaults.PHOTO_HOSTS + [
    f"https://res.cloudinary.com/{account['cloud_name']}/"
    for account in [CLOUDINARY]
    if account
]
