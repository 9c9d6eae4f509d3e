"""An image, for the fields of images that need one."""

from base64 import b64decode

# A PNG of one pixel. Programs that decode it ignore what follows.
PIXEL = b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    b"AABJRU5ErkJggg=="
)
