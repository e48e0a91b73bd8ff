"""
The life of a volume, a module for each step.

    check     inputs completed and judged, all faults at once
    diff      what an update would do
    create    made once, or taken over where the program says so
    read      what is live; gone only on proof
    update    a new version where the content or the counter changes
    delete    by id, and never while a deployment mounts it

    inputs    which keys there are, and when two contents are the same
    versions  what an answer tells of a volume's versions
    state     what is stored: declared where it is true, live where it is not
    syncing   from accepted to ready
    kind      what the shared steps need to know of a volume
"""
