// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Image makes a container image of files, without Docker and without a base image:
//
//	image --tag example.org/hello:v1 --output hello.tar --entrypoint /hello ./hello:/hello
//
// The archive is what "docker load", "ctr images import" and "kind load
// image-archive" read; --push puts the image into the registry that its tags name.
// For several architectures, as in --arch amd64,arm64, it makes one image of each
// and an index of them, with {arch} in a SOURCE standing for the architecture.
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
	// specs are one for each architecture.
	specs  []archive.Spec
	tags   []string
	output string
	push   bool
	digest bool
}

func run(args []string) error {
	cmd, err := parse(args)
	if err != nil {
		return err
	}
	var images []v1.Image
	for _, spec := range cmd.specs {
		img, err := archive.Build(spec)
		if err != nil {
			return err
		}
		images = append(images, img)
	}
	if cmd.output != "" {
		if err := archive.Write(cmd.output, images[0], cmd.tags...); err != nil {
			return err
		}
	}
	var whole pushable = images[0]
	if len(images) > 1 {
		if whole, err = archive.Index(images); err != nil {
			return err
		}
	}
	if cmd.digest {
		digest, err := whole.Digest()
		if err != nil {
			return err
		}
		fmt.Println(digest)
	}
	if cmd.push {
		return push(whole, cmd.tags)
	}
	return nil
}

// pushable is an image or an index of several.
type pushable interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

func parse(args []string) (*command, error) {
	var cmd command
	var spec archive.Spec
	var architectures string
	var tags, entrypoint, env, labels, links, dirs list
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: image --tag NAME:TAG (--output FILE.tar | --push | --digest) [flags] [SOURCE:DESTINATION[:MODE]...]")
		flags.PrintDefaults()
	}
	flags.Var(&tags, "tag", "`NAME:TAG` of the image (repeatable)")
	flags.StringVar(&cmd.output, "output", "", "docker-archive to write, a `FILE.tar`")
	flags.BoolVar(&cmd.push, "push", false, "push every tag to its registry")
	flags.BoolVar(&cmd.digest, "digest", false, "print the digest that the image has in a registry")
	flags.Var(&entrypoint, "entrypoint", "`WORD` of the command that runs (repeatable)")
	flags.StringVar(&spec.User, "user", "", "`UID[:GID]` that runs it")
	flags.Var(&env, "env", "variable `K=V` (repeatable)")
	flags.Var(&labels, "label", "label `K=V` (repeatable)")
	flags.StringVar(&spec.WorkingDir, "workdir", "", "working `DIRECTORY`")
	flags.StringVar(&architectures, "arch", runtime.GOARCH, "`ARCHITECTURE` of the image, or several, as in amd64,arm64")
	flags.Var(&links, "link", "symbolic link `TARGET:DESTINATION` (repeatable)")
	flags.Var(&dirs, "dir", "directory `DESTINATION:MODE` (repeatable)")
	files, err := parseMixed(flags, args)
	if err != nil {
		return nil, err
	}
	switch {
	case len(tags) == 0:
		return nil, errors.New("--tag NAME:TAG is missing")
	case cmd.output == "" && !cmd.push && !cmd.digest:
		return nil, errors.New("say where the image goes: --output FILE.tar, --push or both")
	case cmd.output != "" && strings.Contains(architectures, ","):
		return nil, errors.New("an archive holds one architecture: --output goes with one in --arch")
	}
	cmd.tags, spec.Entrypoint, spec.Env = tags, entrypoint, env
	if spec.Labels, err = labelsOf(labels); err != nil {
		return nil, err
	}
	for architecture := range strings.SplitSeq(architectures, ",") {
		spec.Architecture = architecture
		if spec.Entries, err = entriesOf(dirs, links, filesFor(architecture, files)); err != nil {
			return nil, err
		}
		cmd.specs = append(cmd.specs, spec)
	}
	return &cmd, nil
}

func filesFor(architecture string, files []string) []string {
	var list []string
	for _, file := range files {
		list = append(list, strings.ReplaceAll(file, "{arch}", architecture))
	}
	return list
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

func push(whole remote.Taggable, tags []string) error {
	for _, tag := range tags {
		ref, err := name.NewTag(tag)
		if err != nil {
			return fmt.Errorf("tag %q: %w", tag, err)
		}
		if err := write(ref, whole, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("push %q: %w", tag, err)
		}
	}
	return nil
}

func write(ref name.Tag, whole remote.Taggable, options ...remote.Option) error {
	if index, ok := whole.(v1.ImageIndex); ok {
		return remote.WriteIndex(ref, index, options...)
	}
	return remote.Write(ref, whole.(v1.Image), options...)
}
