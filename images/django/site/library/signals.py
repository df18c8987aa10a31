import logging

from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import Book


@receiver(post_save, sender=Book)
def tell(sender, instance, created, **kwargs):
    logging.getLogger("library").warning("saved %s", instance)
