from secure_django.extras import require

require("secure_django.profile", "allauth", "PIL", "cryptography", extra="site")
