"""What photos need in a project that has settings of its own.

    from secure_django.photos.defaults import *

A generated project needs none of this: secure_django.conf.defaults has the same values,
which its environment can change. docs/photos.md names the settings that you write.
"""

UPLOAD_MAX_BYTES = 10 * 1024**2
UPLOAD_MAX_PIXELS = 0  # then FORMATS of secure_django.photos.images has the limits
UPLOADS_PER_HOUR = 30  # per user
UPLOAD_DECODE_SECONDS = 10  # of CPU time, per user, in ten minutes
REJECTED_RETENTION_DAYS = 30
MODERATION_STUCK_HOURS = 24
# Only Linux can confine the process that decodes images.
DECODER_MAY_BE_UNCONFINED = False
# Its address, if `default` of STORAGES is a bucket: photos are then redirected there.
BUCKET_URL = ""
# How long the server may take to end after a signal: uploads end in this time.
GRACE_SECONDS = 60
PHOTO_MODERATION_BACKEND = "secure_django.photos.moderation.backends.StaffReviewBackend"
# Keeps no file over UPLOAD_MAX_BYTES, and writes no temporary files.
FILE_UPLOAD_HANDLERS = ["secure_django.photos.uploadhandler.MaxSizeUploadHandler"]
