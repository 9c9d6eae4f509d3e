"""Who gets which response from each URL of this app: see core/tests/access.py."""

ROWS = """
/webhooks/cloudinary/                        401    401    401      401    401    # all: tokenless: Cloudinary signs each request
"""
