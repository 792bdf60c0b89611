// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package podstate

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/xflops/flame-operator/internal/words"
)

// longestImage is how much of the name of an image is told, in bytes, so that an event has
// room for the cause.
const longestImage = 300

// imageHealth says that an image cannot be pulled, and why. The kubelet's own words are
// left out: the kubelet alternates between two reasons and their messages, and each change
// would have the status written.
func imageHealth(image string, waiting corev1.ContainerStateWaiting) string {
	text := fmt.Sprintf("cannot pull the image %q", words.Cut(image, longestImage))
	said := waiting.Reason + " " + quotes.ReplaceAllString(strings.ReplaceAll(waiting.Message, image, ""), "")
	for _, known := range pullFailures {
		if known.says.MatchString(said) {
			return text + ": " + known.means
		}
	}
	return text
}

// quotes matches names of images and URLs, which may hold any words.
var quotes = regexp.MustCompile(`"[^"]*"`)

// pullFailures are what container runtimes and registries say when an image cannot be
// pulled, and what is told of it. The first that fits counts. Registries deny images that
// do not exist to those who might not see them if they did.
var pullFailures = []struct {
	says  *regexp.Regexp
	means string
}{
	{regexp.MustCompile(`InvalidImageName|invalid reference format|couldn't parse image`), "that is no name of an image"},
	{regexp.MustCompile(`ErrImageNeverPull`), "the node does not have it, and imagePullPolicy Never keeps it from being pulled"},
	{regexp.MustCompile(`SignatureValidationFailed`), "its signature is not valid"},
	{regexp.MustCompile(`(?i)too ?many ?requests|rate limit`), "the registry takes no more requests for now"},
	{regexp.MustCompile(`(?i)no match for platform|no image found in (image index|manifest list)`), "the registry has it for other kinds of machines than the node"},
	{regexp.MustCompile(`(?i)no space left on device`), "the node's disk is full"},
	{regexp.MustCompile(`(?i)unauthorized|unauthenticated|authentication required|authorization failed|forbidden|denied|no basic auth credentials`),
		"the registry denies it: it does not exist, or imagePullSecrets lack the credentials"},
	{regexp.MustCompile(`(?i)not found|manifest unknown|name unknown`), "the registry does not have it"},
	{regexp.MustCompile(`(?i)RegistryUnavailable|dial tcp|no such host|i/o timeout|connection re(fused|set)|deadline exceeded|TLS handshake|x509:|server misbehaving|\bEOF\b|bad gateway|service unavailable|gateway timeout|internal server error|server gave HTTP response`),
		"the registry cannot be reached"},
}
