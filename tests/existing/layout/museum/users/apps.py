from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "museum.users"
