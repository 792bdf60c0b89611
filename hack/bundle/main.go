// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command bundle does the work of the scripts in hack/ that takes more than a script. The
// releases are read from config/releases.yaml in the current directory.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/xflops/flame-operator/hack/bundle/releases"
)

const usage = `usage:
  bundle csv BASE CRD IMAGE CSV   completes the ClusterServiceVersion that operator-sdk made
  bundle image CSV IMAGE          has a ClusterServiceVersion run another image of the operator
  bundle catalog ICON [VERSION]   prints a catalog's package and channels, with VERSION as the next release
  bundle check VERSION            fails if VERSION cannot be released next
  bundle variables                prints config/releases.yaml as variables of a shell
`

func main() {
	all, err := load("config/releases.yaml")
	if err == nil {
		err = run(all, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func load(path string) (*releases.Releases, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all, err := releases.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return all, nil
}

func run(all *releases.Releases, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	switch command, rest := args[0], args[1:]; {
	case command == "csv" && len(rest) == 4:
		return complete(all, rest[0], rest[1], rest[2], rest[3])
	case command == "image" && len(rest) == 2:
		return change(rest[0], func(csv csv) error { return csv.setImage(rest[1]) })
	case command == "catalog" && len(rest) == 1:
		return catalog(all, rest[0])
	case command == "catalog" && len(rest) == 2:
		next, err := all.Next(rest[1])
		if err != nil {
			return err
		}
		return catalog(next, rest[0])
	case command == "check" && len(rest) == 1:
		return all.Check(rest[0])
	case command == "variables" && len(rest) == 0:
		variables(all)
		return nil
	}
	return fmt.Errorf("%s", usage)
}

func catalog(all *releases.Releases, iconPath string) error {
	icon, err := os.ReadFile(iconPath)
	if err != nil {
		return err
	}
	data, err := all.Catalog(icon)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}

// variables prints what scripts ask for, to be evaluated.
func variables(all *releases.Releases) {
	var versions, digests []string
	for _, release := range all.Releases {
		versions = append(versions, release.Version)
		if release.Digest != "" {
			digests = append(digests, fmt.Sprintf("[%s]=%s", release.Version, release.Digest))
		}
	}
	fmt.Printf("channels=%q\n", strings.Join(all.Channels, ","))
	fmt.Printf("first_channel=%q\n", all.Channels[0])
	fmt.Printf("default_channel=%q\n", all.DefaultChannel)
	fmt.Printf("architectures=%q\n", strings.Join(all.Architectures, " "))
	fmt.Printf("versions=%q\n", strings.Join(versions, " "))
	fmt.Printf("last=%q\n", all.Last())
	fmt.Printf("declare -A digests=(%s)\n", strings.Join(digests, " "))
}
