// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command crdsize fails if a file given to it has 200 KB or more as JSON.
// Plain kubectl apply keeps a copy of the object in an annotation, and
// annotations end at 256 KiB.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

const limit = 200_000

func main() {
	for _, file := range os.Args[1:] {
		size, err := jsonSize(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s: %d bytes as JSON, %d allowed\n", file, size, limit-1)
		if size >= limit {
			os.Exit(1)
		}
	}
}

func jsonSize(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	json, err := yaml.YAMLToJSON(text)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", file, err)
	}
	return len(json), nil
}
