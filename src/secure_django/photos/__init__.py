from secure_django.extras import require

require("secure_django.photos", "PIL", "cryptography", extra="site")
