"""
Check, diff, create, read, update and delete on plain data.

What a deployment's life is, whoever hosts it: a Python dynamic provider today, a
schema-bearing plugin one day. A host brings inputs and state as dictionaries and an
`Invocation` (client, deadline, sign of life, where to report to); it gets dictionaries,
or an error of `pulumi_jig.errors`, or a `PartialFailure` that says what exists already.

What all kinds of things share stands here, what only one of them knows in its package.

    kind        what the shared steps need to know of one kind
    checking    a name, the bookkeeping, faults that every check may find
    creating    made once, or taken over where the program says so
    reading     what is live; gone only on proof
    updating    what is declared and differs
    deleting    by id, until it is gone

    keys        bookkeeping in inputs and states
    identity    whose a thing is
    sending     what every request that changes something has in common
    posting     accepted exactly once, whatever happens on the wire
    patching    a lost answer is settled by a look
    memory      what one process remembers between calls
    preview     looks that change nothing and need no network

Nothing in here imports Pulumi.
"""
