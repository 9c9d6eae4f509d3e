"""Who gets which response from each URL here: see secure_django/guard/access.py."""

ROWS = """
/webhooks/cloudinary/                        401    401    401      401    401    # all: tokenless: Cloudinary signs each request
"""
