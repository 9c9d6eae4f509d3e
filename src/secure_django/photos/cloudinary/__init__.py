from secure_django.extras import require

require("secure_django.photos.cloudinary", "cloudinary", "urllib3", extra="cloudinary")
