"""
The life of a secret: what it adds to the steps that all kinds of things share.

The service never returns a value, so one that is sent counts as sent: it is kept in the
state, as a Pulumi secret, and compared there. An update whose answer got lost is
therefore repeated, and remembered where it stays lost.

    check       inputs completed and judged, all faults at once
    diff        what an update would do
    kind        what a secret is to the shared steps
    create, read, update, delete
                the shared steps, taken with a secret

    inputs      which keys there are, and how they become a request
    expiry      what a limited lifetime means for the state
"""
