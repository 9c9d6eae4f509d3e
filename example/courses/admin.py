from django.contrib import admin
from django.http import HttpRequest
from secure_django.admin import ModelAdmin

from courses.models import Course, Member


class MemberInline(admin.TabularInline):
    model = Member
    raw_id_fields = ("user",)
    extra = 1


@admin.register(Course)
class CourseAdmin(ModelAdmin):
    list_display = ("title", "owner", "created_at")
    readonly_fields = ("owner",)
    search_fields = ("title",)
    inlines = (MemberInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the owner is always the user who adds something on the site
