"""Builds the cases of a plan, each as a resource of its own."""

import json
import os
from pathlib import Path

import pulumi
from product import ARGUMENTS, LEAST, Token, Weights, build

import pulumi_jig as jig

token = jig.Secret("token", value="t", name="token", ownership_mark=False)
weights = jig.Volume("weights", name="weights", content={"source_prefix": "p"})
known = {Token: token, Weights: weights}
used = pulumi.ResourceOptions(depends_on=[token, weights])

for number, (what, argument, forms) in enumerate(
    json.loads((Path(__file__).parent / "plan.json").read_text())
):
    value, beside = ARGUMENTS[what][argument]
    if value == "$TOGETHER_BASE_URL":
        value = os.environ["TOGETHER_BASE_URL"]
    key = argument.partition(" ")[0]
    name = f"case-{number:05d}"
    if key == "name":
        value = name
    given = {key: build(value, forms, known)}
    for other, literal in beside.items():
        given[other] = name if other == "name" else literal
    if what == "Provider":
        given.setdefault("api_key", "acct:forms:key-1")
        given.setdefault("base_url", os.environ["TOGETHER_BASE_URL"])
        provider = jig.Provider(name, **given)
        options = pulumi.ResourceOptions(provider=provider)
        jig.Deployment(
            name,
            name=name,
            ownership_mark=False,
            wait_for="none",
            opts=options,
            **LEAST,
        )
        continue
    defaults = {"name": name}
    if what != "Volume":
        defaults["ownership_mark"] = False
    if what == "Deployment":
        defaults |= {"wait_for": "none", **LEAST}
    getattr(jig, what)(name, {**defaults, **given}, opts=used)
