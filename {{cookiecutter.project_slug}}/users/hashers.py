from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with the minimum of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes.

    Django's default needs 100 MiB for each concurrent log-in.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1
