from typing import Any

from secure_django.photos.forms import PhotoModelForm

from courses.models import Course
from lessons.models import Lesson


class LessonForm(PhotoModelForm):
    most_per_owner = 1000

    class Meta:
        model = Lesson
        fields = (
            "title",
            "course",
            "text",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        course: Any = self.fields["course"]
        course.queryset = Course.objects.filter(owner=self.owner)
