// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command autoscale-sim plays a load against autoscaling and draws what happens:
//
//	go run ./hack/autoscale-sim LOAD.yaml OUT.svg
//
// A load is a cluster and what happens to it at which time; loads/ has some, and
// internal/autoscale/simulator says what each field means. Nothing of a real
// cluster is involved, and the same load makes the same picture.
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/internal/autoscale/simulator"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: autoscale-sim LOAD.yaml OUT.svg")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(load, picture string, out io.Writer) error {
	script, err := read(load)
	if err != nil {
		return err
	}
	result, err := simulator.Run(script, nil)
	if err != nil {
		return fmt.Errorf("play %s: %w", load, err)
	}
	if err := os.WriteFile(picture, draw(script, result.Samples), 0o644); err != nil {
		return err
	}
	summarize(out, result)
	fmt.Fprintf(out, "Drew %s.\n", picture)
	return nil
}

func read(path string) (simulator.Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return simulator.Script{}, err
	}
	var script simulator.Script
	if err := yaml.UnmarshalStrict(data, &script); err != nil {
		return script, fmt.Errorf("read %s: %w", path, err)
	}
	return script, nil
}

// summarize prints each decision that changed something.
func summarize(out io.Writer, result simulator.Result) {
	fmt.Fprintln(out, "  time  tasks waiting  running  desired  ready  reason")
	var before simulator.Sample
	for i, s := range result.Samples {
		if i == 0 || s.Desired != before.Desired || s.Reason != before.Reason {
			fmt.Fprintf(out, "%6s  %13d  %7d  %7d  %5d  %s\n", clock(s.Second), s.Pending, s.Running, s.Desired, s.Ready, s.Reason)
		}
		before = s
	}
	fmt.Fprintf(out, "%d tasks ran, %d of them twice. In the end: %s.\n", result.Finished, result.Repeated, result.LastMessage)
}

func clock(second int) string { return fmt.Sprintf("%d:%02d", second/60, second%60) }
