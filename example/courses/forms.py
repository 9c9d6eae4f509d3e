from django import forms
from secure_django.photos.forms import PhotoModelForm

from courses.models import Course


class CourseForm(PhotoModelForm):
    most_per_owner = 1000

    class Meta:
        model = Course
        fields = (
            "title",
            "start",
            "price",
            "level",
            "cover",
            "text",
        )
        widgets = {"start": forms.DateInput({"type": "date"}, "%Y-%m-%d")}
