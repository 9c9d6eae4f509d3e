"""The documents of the package: `python -m secure_django.docs` prints their folder."""
