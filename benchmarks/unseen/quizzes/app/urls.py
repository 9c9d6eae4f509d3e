from django.urls import path

from quizzes import views

app_name = "quizzes"

urlpatterns = [
    path("", views.QuizList.as_view(), name="index"),
    path("mine/", views.mine, name="mine"),
    path("new/", views.QuizCreate.as_view(), name="new"),
    path("<int:pk>/", views.quiz_detail, name="quiz"),
    path("<int:pk>/edit/", views.QuizEdit.as_view(), name="edit"),
    path("<int:pk>/delete/", views.QuizDelete.as_view(), name="delete"),
    path("<int:pk>/copy/", views.copy, name="copy"),
    path("<int:pk>/import/", views.import_questions, name="import"),
    path("<int:pk>/questions/new/", views.question_form, name="question_new"),
    path(
        "<int:pk>/questions/<int:question_pk>/", views.question_form, name="question"
    ),
    path("questions/<int:pk>/delete/", views.question_delete, name="question_delete"),
    path("<int:pk>/start/", views.start, name="start"),
    path("<int:pk>/results/", views.Results.as_view(), name="results"),
    path("<int:pk>/best.json", views.best, name="best"),
    path("attempts/<int:pk>/", views.take, name="take"),
    path("attempts/<int:pk>/save/", views.save_answer, name="save"),
    path("attempts/<int:pk>/finish/", views.finish, name="finish"),
    path("attempts/<int:pk>/result/", views.result, name="result"),
    path("attempts/<int:pk>/share/", views.share, name="share"),
    path("certificates/<int:pk>.svg", views.certificate, name="certificate"),
]
