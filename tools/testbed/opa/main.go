// Command opa compiles a module of Rego to WebAssembly: opa <file> <entrypoint> <output>.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/open-policy-agent/opa/v1/compile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: opa <file> <entrypoint> <output>")
	}
	compiler := compile.New().
		WithTarget(compile.TargetWasm).
		WithEntrypoints(args[1]).
		WithOptimizationLevel(0).
		WithPaths(args[0])
	if err := compiler.Build(context.Background()); err != nil {
		return err
	}
	modules := compiler.Bundle().WasmModules
	if len(modules) != 1 {
		return fmt.Errorf("%d modules were made of it", len(modules))
	}
	return os.WriteFile(args[2], modules[0].Raw, 0o644)
}
