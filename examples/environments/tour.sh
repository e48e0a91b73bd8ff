#!/usr/bin/env bash
# One image on its way from nothing to production and back; README.md says why.
# After the shared set-up (../README.md) it needs nothing, and it leaves nothing.
set -euo pipefail
cd "$(dirname "$0")"

# What a build would print: the digest of what it has pushed.
IMAGE=registry.together.ai/proj_demo/llm
FIRST=$IMAGE@sha256:$(printf first | sha256sum | cut -d ' ' -f 1)
SECOND=$IMAGE@sha256:$(printf second | sha256sum | cut -d ' ' -f 1)
PACK=../../policies/gpu-guardrails

say() { printf '\n# %s\n' "$*"; }
refused() {
  if "$@"; then
    echo "This should have been refused: $*" >&2
    exit 1
  fi
}

say "From nothing: three stacks of one program."
pulumi stack init dev
pulumi stack init staging
pulumi stack init prod

say "Nothing can be promoted that has not run before."
refused pulumi preview --stack staging

say "The first image comes up in dev, and is promoted by its digest."
pulumi config set image "$FIRST" --stack dev
pulumi up --yes --skip-preview --stack dev --policy-pack $PACK --policy-pack-config limits/dev.json
pulumi up --yes --skip-preview --stack staging --policy-pack $PACK --policy-pack-config limits/staging.json
pulumi up --yes --stack prod --policy-pack $PACK --policy-pack-config limits/prod.json
test "$(pulumi stack output image --stack prod)" = "$FIRST"

say "The second image runs in dev. Prod refuses it: staging has not run it."
pulumi config set image "$SECOND" --stack dev
pulumi up --yes --skip-preview --stack dev --policy-pack $PACK --policy-pack-config limits/dev.json
pulumi config set image "$SECOND" --stack prod
refused pulumi preview --stack prod
pulumi config rm image --stack prod

say "Through staging it gets there."
pulumi up --yes --skip-preview --stack staging --policy-pack $PACK --policy-pack-config limits/staging.json
pulumi up --yes --stack prod --policy-pack $PACK --policy-pack-config limits/prod.json
test "$(pulumi stack output image --stack prod)" = "$SECOND"

say "Nine GPUs in prod are over its limit; nothing is changed."
pulumi config set --path service.replicas.max 9 --stack prod
refused pulumi up --yes --skip-preview --stack prod \
  --policy-pack $PACK --policy-pack-config limits/prod.json
pulumi config set --path service.replicas.max 4 --stack prod
pulumi preview --stack prod --expect-no-changes

say "Roll back: prod takes the first image again, which staging has run."
pulumi config set image "$FIRST" --stack prod
pulumi up --yes --stack prod --policy-pack $PACK --policy-pack-config limits/prod.json
test "$(pulumi stack output image --stack prod)" = "$FIRST"

say "Take it down. Prod is protected, so that is two steps there."
refused pulumi destroy --yes --skip-preview --stack prod
pulumi config set --path service.protect false --stack prod
pulumi up --yes --skip-preview --stack prod
for stack in prod staging dev; do
  pulumi destroy --yes --skip-preview --stack $stack
done
say "Done."
