"""Run scans: `python -m secure_django.scans`, or with their names.

`python -m secure_django.scans staged FILE ...` looks for secrets in these files.
"""

import sys

from secure_django.scans import main, scan_staged

if __name__ == "__main__":
    if sys.argv[1:2] == ["staged"]:
        sys.exit(scan_staged(sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
