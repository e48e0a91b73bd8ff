"""
Check, diff, create, read, update and delete on plain data.

What a deployment's life is, whoever hosts it: a Python dynamic provider today, a
schema-bearing plugin one day. A host brings inputs and state as dictionaries and an
`Invocation` (client, deadline, sign of life, where to report to); it gets dictionaries,
or an error of `pulumi_jig.errors`, or a `PartialFailure` that says what exists already.

Nothing in here imports Pulumi.
"""
