from django.contrib import admin

from portal.models import Doctor, Patient

admin.site.register(Doctor)
admin.site.register(Patient)
