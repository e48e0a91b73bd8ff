"""
The life of a deployment, a module for each step.

    check       inputs completed and judged, all faults at once
    diff        what an update would do
    create      made once, or taken over where the program says so
    read        what is live; gone only on proof
    update      what is declared and differs
    delete      by id, until it is gone

    inputs      which keys there are, and how they become a request
    state       what is stored: declared where it is true, live where it is not
    identity    whose a deployment is
    sending     what every request that changes something has in common
    posting     accepted exactly once, whatever happens on the wire
    patching    only what differs; a lost answer is settled by a look
    serving     from accepted to serving
    discretion  what people are told, without secrets
"""
