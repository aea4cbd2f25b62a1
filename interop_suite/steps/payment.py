"""Payments by card or on the web, as the tokens of sessions in 2.1."""

from __future__ import annotations

import secrets

import msgspec

from fixtures.tokens import Token, TokenKind

__all__ = ["DirectPayment", "new_payment"]


class DirectPayment(msgspec.Struct, frozen=True):
    """One payment; its reference at the payment service provider is the token of the session."""

    reference: str

    @property
    def token(self) -> Token:
        """The token of the session."""
        return Token(value=self.reference, kind=TokenKind.DIRECT_PAYMENT)


def new_payment() -> DirectPayment:
    """Make up a payment with a reference that no other one has."""
    return DirectPayment(f"PSP-{secrets.token_hex(8)}")
