from tests.production.test_services import *
def test_x(project, error_collector):
    with serve(project(ALL_OFF), SENTRY_DSN=error_collector.dsn) as site:
        try:
            site.manage("rotate_encryption", DATABASE_URL="postgres://canary:canary@127.0.0.1:9/canary")
        except AssertionError as e:
            print(str(e)[-3500:])
        import time; time.sleep(2)
        print(error_collector.bodies)
        assert 0
