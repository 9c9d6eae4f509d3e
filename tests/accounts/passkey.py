"""A passkey in software. It imports nothing of the project."""

import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import sha256, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

FLAG = AuthenticatorData.FLAG


class Passkey:
    def __init__(self, host: str = "testserver") -> None:
        self.origin = f"https://{host}"
        self.rp_id = sha256(host.partition(":")[0].encode())
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)

    def _credential(self, **response: bytes) -> dict[str, Any]:
        texts = {name: websafe_encode(value) for name, value in response.items()}
        return {
            "rawId": websafe_encode(self.id),
            "response": texts,
            "clientExtensionResults": {},
        }

    @property
    def data(self) -> dict[str, Any]:
        """Return what allauth stores after the registration."""
        return {"name": "", "credential": self.register()}

    def register(self, challenge: str = "") -> dict[str, Any]:
        """Return the answer to a page that adds a passkey."""
        key: Any = ES256
        public_key = key.from_cryptography_key(self.key.public_key())
        public = AttestedCredentialData.create(Aaguid.NONE, self.id, public_key)
        flags = FLAG.UP | FLAG.AT
        data = AuthenticatorData.create(self.rp_id, flags, 0, public)
        stored = AttestationObject.create("none", data, {})
        client = CollectedClientData.create("webauthn.create", challenge, self.origin)
        return self._credential(clientDataJSON=client, attestationObject=stored)

    def sign(
        self, options: Any, user_handle: str, *, verified: bool = True, origin: str = ""
    ) -> str:
        """Return the answer to a page's challenge, as the page sends it."""
        challenge = options["publicKey"]["challenge"]
        client = CollectedClientData.create(
            "webauthn.get", challenge, origin or self.origin
        )
        flags = FLAG.UP | FLAG.UV if verified else FLAG.UP
        data = AuthenticatorData.create(self.rp_id, flags, 0)
        signature = self.key.sign(data + client.hash, ec.ECDSA(SHA256()))
        signed = {
            "clientDataJSON": client,
            "authenticatorData": data,
            "signature": signature,
        }
        return json.dumps(self._credential(**signed, userHandle=user_handle.encode()))
