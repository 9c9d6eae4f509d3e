from django.contrib import admin
from secure_django.login.admin import UserAdmin

from users.models import User

admin.site.register(User, UserAdmin)
