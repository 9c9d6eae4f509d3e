"""gunicorn's settings, read by `gunicorn config.wsgi`. It belongs behind a proxy that buffers requests."""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4
# Seconds until a worker that no longer answers its master is replaced: longer than the largest photo takes.
timeout = 60
# TRUSTED_PROXY_COUNT alone decides whether forwarded headers are believed.
forwarded_allow_ips = ""
# Recycled now and then: image libraries fragment memory.
max_requests = 1000
max_requests_jitter = 100
control_socket_disable = True
