from secure_django.extras import require

require("secure_django.login", "allauth", "argon2", extra="site")
