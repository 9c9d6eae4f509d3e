from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import receiver


class Member(AbstractBaseUser):
    address = models.EmailField(unique=True)
    EMAIL_FIELD = USERNAME_FIELD = "address"
    objects = BaseUserManager()


class Profile(models.Model):
    member = models.OneToOneField(Member, on_delete=models.CASCADE)
    motto = models.CharField(max_length=80, blank=True)


@receiver(post_save, sender=Member)
def add_profile(instance: Member, created: bool, **_options: object) -> None:
    if created:
        Profile.objects.create(member=instance)
