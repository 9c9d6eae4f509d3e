from secure_django.extras import require

require("secure_django.guard", "pytest", "pytest_django", extra="guard")
