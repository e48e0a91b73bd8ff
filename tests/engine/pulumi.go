//go:build tools

// Package engine names what `make engine` builds, so that go.mod and go.sum hold it.
package engine

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
