"""Code that fills a project's PostgreSQL with many users and photos in seconds."""

# `multiply` copies a row: columns without an SQL expression keep their value. Of 100
# photos, 80 are published, 15 wait and 5 were rejected; each user has equally many.
FILL = """
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from secure_django.photos.models import Verdict

def multiply(row, count, **expressions):
    table, quote = row._meta.db_table, connection.ops.quote_name
    names = [field.column for field in row._meta.concrete_fields]
    columns = {name: quote(name) for name in names} | expressions
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(map(quote, columns))}) "
            f"SELECT {', '.join(columns.values())} "
            f"FROM {table}, (SELECT n, (n + n / %(users)s) %% 100 s "
            "FROM generate_series(1, %(count)s) n) numbers "
            f"WHERE {quote(row._meta.pk.column)} = %(pk)s",
            {"count": count, "pk": row.pk, "users": users},
        )
    row.delete()

def fill(photos):
    next_id = "nextval(pg_get_serial_sequence('{}', 'id'))"
    user = User.objects.create_user("user@example.com")
    multiply(
        user,
        users,
        id=next_id.format("users_user"),
        email="'user' || n || '@example.com'",
    )
    first = User.objects.filter(email__startswith="user").order_by("pk")[0].pk
    photo = Photo(
        purpose="gallery.picture.photo",
        title="x",
        original_name="holiday.jpg",
        width=64,
        height=48,
        display_size=1000,
        thumbnail_size=100,
    )
    photo.save()
    multiply(
        photo,
        photos,
        id="gen_random_uuid()",
        owner_id=f"{first} + n %% %(users)s",
        title="'Photo ' || n",
        status="CASE WHEN s < 80 THEN 'approved' WHEN s < 90 THEN 'review' "
        "WHEN s < 95 THEN 'pending' ELSE 'rejected' END",
        has_files="s < 95",
        created_at=f"now() - interval '2 hours' - n * interval '300 days' / {photos}",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO secure_django_photos_verdict "
            "(photo_id, kind, result, detail, updated_at) "
            "SELECT id, 'manual', "
            "CASE status WHEN 'review' THEN 'unknown' ELSE status END, '', created_at "
            "FROM secure_django_photos_photo"
        )
        # For the tests' code, each picture has the id of its photo.
        cursor.execute(
            "INSERT INTO gallery_picture (id, owner_id, title, photo_id, created_at) "
            "SELECT id, owner_id, title, id, created_at "
            "FROM secure_django_photos_photo"
        )
        cursor.execute("VACUUM (ANALYZE)")
"""
