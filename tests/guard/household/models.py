"""What people share. Whoever deletes an account takes nothing of the others' along.

The tests make each key unsafe again: see test_deletion.py.
"""

from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Household(models.Model):
    owner = models.ForeignKey(User, models.SET_NULL, null=True)
    guests = models.ManyToManyField(User, related_name="+")
    name = models.CharField(max_length=80)


class Member(models.Model):
    household = models.ForeignKey(Household, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")

    class Meta:
        unique_together = ("household", "user")


class Expense(models.Model):
    household = models.ForeignKey(Household, models.CASCADE)
    payer = models.ForeignKey(User, models.SET_NULL, null=True)
    text = models.CharField(max_length=80)


class Note(models.Model):
    """A remark on whatever it is, which goes with that."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    about = GenericForeignKey()
    author = models.ForeignKey(User, models.CASCADE, related_name="+")
    text = models.CharField(max_length=80)


class Post(models.Model):
    author = models.ForeignKey(User, models.SET_NULL, null=True)
    notes = GenericRelation(Note)
    text = models.TextField(max_length=800)


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE)
    author = models.ForeignKey(User, models.SET_NULL, null=True)
    text = models.TextField(max_length=800)


class Thread(models.Model):
    starter = models.ForeignKey(User, models.SET_NULL, null=True)
    title = models.CharField(max_length=80)


class Message(models.Model):
    thread = models.ForeignKey(Thread, models.CASCADE)
    sender = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    answered = models.ForeignKey("self", models.SET_NULL, null=True)
    text = models.TextField(max_length=800)


class Transfer(models.Model):
    sender = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    receiver = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    text = models.CharField(max_length=80)


class Like(models.Model):
    deleted_with = {
        "diary": "a like is nothing without what is liked",
        "user": "a like is what one person said",
    }
    diary = models.ForeignKey("Diary", models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")


class Invoice(models.Model):
    customer = models.ForeignKey(User, models.PROTECT)
    text = models.CharField(max_length=80)


class Diary(models.Model):
    writer = models.ForeignKey(User, models.CASCADE)
    text = models.TextField(max_length=800)
