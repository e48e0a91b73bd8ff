"""
The life of a deployment: what it adds to the steps that all kinds of things share.

    check       inputs completed and judged, all faults at once
    diff        what an update would do
    kind        what a deployment is to the shared steps
    create, read, update, delete
                the shared steps, taken with a deployment

    inputs      which keys there are, and how they become a request
    state       what is stored: declared where it is true, live where it is not
    patching    what an update sends: only what differs
    references  secrets and volumes by name or by id
    serving     from accepted to serving
    rules, shapes
                what is refused, and why
"""
