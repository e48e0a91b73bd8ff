"""
`pulumi-jig drift`: what is declared against what is live, in words.

For each deployment, secret and volume of a state one look at the service. Drift is what
the next `pulumi up --refresh` would change back, plus what it could not see: a roll-back
that somebody made elsewhere. The autoscaler's moves, defaults that the service filled in
and variables that the platform injected are none. Changes of what nobody declared are
told as notes.

It refuses to say "no drift" about what it could not compare: what belongs to another
account, values that the state holds encrypted, and a secret that somebody else wrote to,
since the service shows no value, are named.

    comparing   one look for each, and whether it is the one that the state means
    deployment, secret, volume
                what of a live one differs
    findings    the answer, for people and for programs
"""

from __future__ import annotations

from pulumi_jig.operations.drift.comparing import drift
from pulumi_jig.operations.drift.findings import Compared, Finding, show

__all__ = ["Compared", "Finding", "drift", "show"]
