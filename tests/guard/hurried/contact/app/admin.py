from django.contrib import admin

from contact.models import Inquiry


@admin.register(Inquiry)
class InquiryAdmin(admin.ModelAdmin):
    list_display = ("subject", "name", "email", "status")
    list_filter = ("status",)
