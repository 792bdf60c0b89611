// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package flame

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xflops/flame-operator/internal/flame/observation"
)

// A tenant may name any image as session manager, and its answers may be made to fill the
// operator's memory. Three things are bounded: what is read from the wire, what is made of
// it, and both for all clusters together.
const (
	// smallAnswer is the size of an answer that any session manager may give at any time.
	// Some seventy such answers are read at once at most. A list of 4,000 sessions has that
	// size.
	smallAnswer = 1 << 20
	// largestAnswer is the size of the largest answer, and of all answers together that are
	// larger than small and read at the same time. A list of 10,000 sessions has 3 MiB,
	// which leaves room for 3 KiB of common data in each.
	largestAnswer = 32 << 20
	// resultAnswer is the size of the largest answer that says how a call went.
	resultAnswer = 64 << 10

	// most is how many open sessions, executors and nodes of a cluster are kept. Each takes
	// 350 bytes, and twice that while a new list replaces the last. The bound has room for
	// 10,000 executor managers with three executors each and 10,000 sessions.
	most = 50_000
	// mostOfAll is how many entries of all clusters together are kept. undisputed is how
	// many of one cluster are kept whatever the others have: a hundred executor managers
	// with some executors each, and hundreds of sessions.
	mostOfAll, undisputed = 100_000, 1_000
	// entrySize is the least that an entry of a list counts for, since an entry takes that
	// much once it is kept: a small answer of entries of a few bytes would leave 40 MiB.
	entrySize = 512
	// nameSize is the length of the longest name. Flame names directories after
	// sessions, and hosts after nodes.
	nameSize = 255
	// handedBack is the size of the largest executor or node that is handed back to Flame.
	handedBack = 4 << 10
	// reasonSize is how much is read of what Flame says of a binding that failed.
	reasonSize = 512
	// wordsSize is how much of the text of an error is kept.
	wordsSize = 300

	// mostTasks is how many tasks of a session are read when they are listed.
	mostTasks = 1_000_000
)

// entriesIn returns how many entries the lists of an observation may have, given the size
// that its answers may have.
func entriesIn(size int) int { return min(size/entrySize, most) }

// roomFor returns the room for an answer of a size: a power of 2, so that a list that grows
// a little fits again.
func roomFor(size int) int {
	room := smallAnswer
	for room < size {
		room *= 2
	}
	return room
}

// kept is what the answers of one piece of work have left in memory.
type kept struct {
	// entries is how many entries of lists are kept, room is how many may be kept, and
	// largest is the size of the largest answer.
	entries, room, largest int
	// texts are those that many entries share, such as the names of nodes.
	texts map[string]string
}

func newKept(limit int) *kept { return &kept{room: entriesIn(limit), texts: map[string]string{}} }

// entry takes room for one more entry of a list.
func (k *kept) entry() error {
	if k.entries == k.room {
		return errTooMany
	}
	k.entries++
	return nil
}

// size returns the room that the same answers need again, and 0 if they are small.
func (k *kept) size() int {
	if size := max(k.largest, k.entries*entrySize); size > smallAnswer {
		return roomFor(size)
	}
	return 0
}

// share replaces a text by an equal one that is kept already.
func (k *kept) share(text *string) {
	same, known := k.texts[*text]
	if known {
		*text = same
		return
	}
	k.texts[*text] = *text
}

// subject is what an answer is about.
type subject struct{ name, cure string }

var (
	sessionList  = subject{"its list of sessions", "lower sessionManager.maxSessions, or keep less common data in sessions"}
	executorList = subject{"its list of executors", "lower executorManager.maxExecutors or the number of executor managers"}
	nodeList     = subject{"its list of nodes", "lower the number of executor managers"}
	oneSession   = subject{"one of its sessions", "keep less common data in it"}
	oneTask      = subject{"one of its tasks", "keep less data in it"}
)

// errCrowded is the error of a large cluster for which the others leave no room.
var errCrowded = &observation.TooLarge{
	What: fmt.Sprintf("all clusters together list more than %d open sessions, executors and nodes, and it has more than %d of them", mostOfAll, undisputed),
	Cure: "have another operator watch some of the namespaces",
}

// errTooManyTasks is the error of a session with too many tasks to list.
var errTooManyTasks = &observation.TooLarge{
	What: fmt.Sprintf("one of its sessions has more than %d tasks", mostTasks), Cure: "begin a new session",
}

// errOutgrown means that an answer needs more room than it was given, and may have it. The
// error stays in this package.
var errOutgrown = errors.New("an answer needs more room")

type outgrown struct{ size int }

func (e *outgrown) Error() string { return fmt.Sprintf("%v: %d bytes", errOutgrown, e.size) }

// Is reports whether an error is errOutgrown.
func (e *outgrown) Is(target error) bool { return target == errOutgrown }

// tooLong returns the error of an answer of that size.
func (s subject) tooLong(size int) error {
	if size <= largestAnswer {
		return &outgrown{size}
	}
	const mebi = 1 << 20
	return &observation.TooLarge{
		What: fmt.Sprintf("%s has %d MiB, of %d MiB at most", s.name, (size+mebi-1)/mebi, largestAnswer/mebi), Cure: s.cure,
	}
}

// tooMany returns the error of lists with more entries than there was room for.
func tooMany(limit int) error {
	if entriesIn(limit) < most {
		return &outgrown{most * entrySize} // How many it has is known once they fit.
	}
	return &observation.TooLarge{
		What: fmt.Sprintf("it lists more than %d open sessions, executors and nodes", most),
		Cure: "close sessions, or lower executorManager.maxExecutors or the number of executor managers",
	}
}

// announced matches what gRPC says of a message that is longer than it may be, before gRPC
// reads the message.
var announced = regexp.MustCompile(`received message larger than max \((\d+) vs`)

// sizeOf returns the size of an answer that was not read because of its size.
func sizeOf(err error) (int, bool) {
	found := announced.FindStringSubmatch(status.Convert(err).Message())
	if status.Code(err) != codes.ResourceExhausted || found == nil {
		return 0, false
	}
	size, err := strconv.Atoi(found[1])
	return size, err == nil
}

// words returns as much of the text of an error as may be shown, since the text may be
// anything, and of any length.
func words(err error) string {
	text := strings.ToValidUTF8(err.Error(), "�")
	if len(text) <= wordsSize {
		return text
	}
	end := wordsSize
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

var (
	// errUnreadable means that Flame would not give such an answer.
	errUnreadable = errors.New("what it answers cannot be read")
	// errTooMany means that an answer has more entries than may be kept.
	errTooMany = errors.New("it lists too much")
	// errFlood means that more came in than answers of the allowed size need.
	errFlood = errors.New("it sends more than it was asked for")
)
