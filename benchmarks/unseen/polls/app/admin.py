from django.contrib import admin
from secure_django.admin import ModelAdmin

from polls.models import Poll, Vote


@admin.register(Poll)
class PollAdmin(ModelAdmin):
    list_display = ("question", "visibility", "ends_at", "is_closed")
    readonly_fields = ("owner",)


@admin.register(Vote)
class VoteAdmin(ModelAdmin):
    list_display = ("poll", "option", "user", "ip", "created_at")
    list_filter = ("poll",)
