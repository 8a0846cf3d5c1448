"""Wraps every data key with the current wrapping key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from transport.storage.encryption import keys
from transport.storage.encryption.configured_keys import wrapping_key
from transport.storage.encryption.errors import AtRestError
from transport.storage.encryption.token import TokenKey


class Command(BaseCommand):
    help = (
        "Wraps the data keys with the wrapping key that is configured now, after SDK_WRAPPING_KEY has been "
        "changed (the earlier one in SDK_OLD_WRAPPING_KEYS) or a PKCS#11 token has been set up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--create", action="store_true", help="make the wrapping key in the token if it is not there"
        )

    def handle(self, *args: Any, create: bool, **options: Any) -> None:
        try:
            wrapping = wrapping_key()
            if create:
                self._create(wrapping)
            count = keys.rewrap()
        except AtRestError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"wrapped {count} data keys with {wrapping.name}")

    def _create(self, wrapping: object) -> None:
        if not isinstance(wrapping, TokenKey):
            raise CommandError("--create is for a PKCS#11 token: set SDK_PKCS11_MODULE")
        if wrapping.exists():
            self.stdout.write(f"{wrapping.name} is there already")
            return
        wrapping.create()
        self.stdout.write(f"made {wrapping.name}")
