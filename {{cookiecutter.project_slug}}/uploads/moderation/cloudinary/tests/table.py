"""Who gets which response from each URL of this app: core/tests/access.py explains it."""

ROWS = """
/webhooks/cloudinary/                        401    401    401      401    401
"""
