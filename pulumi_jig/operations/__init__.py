"""
What a person does at a desk with a stack that exists, or is to exist.

    recover    settle what an interrupted run left
    orphans    find deployments that carry our mark and stand in no state
    adopt      `import`: an import file and a program for running deployments
    convert    a program from the vendor's `jig.toml`
    drift      declared against live, in words

They work on the exported state and the API client; none of them needs the engine to be
imported. They refuse to write anything before everything that was asked for is known to
be possible, and they never decrypt a secret to store it elsewhere.

    exported   the export format, sealed values included
    pulumi     the `pulumi` command
    account    the key, the address and the client
    together   many requests at a time
    terminal   what people see
    files      written whole or not at all
    commands   the command line
"""
