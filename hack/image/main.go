// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Image makes a container image of files, without Docker and without a base image:
//
//	image --tag example.org/hello:v1 --output hello.tar --entrypoint /hello ./hello:/hello
//
// The archive is what "docker load", "ctr images import" and "kind load
// image-archive" read; --push puts the image into the registry that its tags name.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/xflops/flame-operator/hack/image/archive"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "image:", err)
		}
		os.Exit(1)
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// command is what the command line asks for.
type command struct {
	spec   archive.Spec
	tags   []string
	output string
	push   bool
}

func run(args []string) error {
	cmd, err := parse(args)
	if err != nil {
		return err
	}
	img, err := archive.Build(cmd.spec)
	if err != nil {
		return err
	}
	if cmd.output != "" {
		if err := archive.Write(cmd.output, img, cmd.tags...); err != nil {
			return err
		}
	}
	if cmd.push {
		return push(img, cmd.tags)
	}
	return nil
}

func parse(args []string) (*command, error) {
	var cmd command
	var tags, entrypoint, env, labels, links, dirs list
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: image --tag NAME:TAG (--output FILE.tar | --push) [flags] [SOURCE:DESTINATION[:MODE]...]")
		flags.PrintDefaults()
	}
	flags.Var(&tags, "tag", "`NAME:TAG` of the image (repeatable)")
	flags.StringVar(&cmd.output, "output", "", "docker-archive to write, a `FILE.tar`")
	flags.BoolVar(&cmd.push, "push", false, "push every tag to its registry")
	flags.Var(&entrypoint, "entrypoint", "`WORD` of the command that runs (repeatable)")
	flags.StringVar(&cmd.spec.User, "user", "", "`UID[:GID]` that runs it")
	flags.Var(&env, "env", "variable `K=V` (repeatable)")
	flags.Var(&labels, "label", "label `K=V` (repeatable)")
	flags.StringVar(&cmd.spec.WorkingDir, "workdir", "", "working `DIRECTORY`")
	flags.StringVar(&cmd.spec.Architecture, "arch", runtime.GOARCH, "`ARCHITECTURE` of the image")
	flags.Var(&links, "link", "symbolic link `TARGET:DESTINATION` (repeatable)")
	flags.Var(&dirs, "dir", "directory `DESTINATION:MODE` (repeatable)")
	files, err := parseMixed(flags, args)
	if err != nil {
		return nil, err
	}
	switch {
	case len(tags) == 0:
		return nil, errors.New("--tag NAME:TAG is missing")
	case cmd.output == "" && !cmd.push:
		return nil, errors.New("say where the image goes: --output FILE.tar, --push or both")
	}
	cmd.tags, cmd.spec.Entrypoint, cmd.spec.Env = tags, entrypoint, env
	if cmd.spec.Labels, err = labelsOf(labels); err != nil {
		return nil, err
	}
	cmd.spec.Entries, err = entriesOf(dirs, links, files)
	return &cmd, err
}

// parseMixed returns what is no flag, wherever it stands between them.
func parseMixed(flags *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

func labelsOf(pairs []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("label %q is not K=V", pair)
		}
		labels[key] = value
	}
	return labels, nil
}

func entriesOf(dirs, links, files []string) ([]archive.Entry, error) {
	var entries []archive.Entry
	for _, arg := range files {
		found, err := archive.ParseFile(arg)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	for _, arg := range links {
		entry, err := archive.ParseLink(arg)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	// Last, so that a mode that was asked for wins over that of a folder copied there.
	for _, arg := range dirs {
		entry, err := archive.ParseDir(arg)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func push(img v1.Image, tags []string) error {
	for _, tag := range tags {
		ref, err := name.NewTag(tag)
		if err != nil {
			return fmt.Errorf("tag %q: %w", tag, err)
		}
		if err := remote.Write(ref, img, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("push %q: %w", tag, err)
		}
	}
	return nil
}
