package defender

import (
	"errors"
	"io"
	"unsafe"
)

const (
	// largeAnswer is the size in bytes from which an answer is large.
	largeAnswer = 1 << 20
	// firstPart is the size of the first part of a body of unknown length; every further part is twice as large.
	firstPart = 32 << 10
	// largePart is the size of the parts of a large body, which are outside of the heap where the system has memory to
	// lend: each of them goes back while the parts are joined, so that no large body is in memory twice.
	largePart = 2 << 20
)

// gathered is a body as it comes, in parts. A text that grows would have to be copied into larger and larger memory, of
// which the old one stays until it is collected.
type gathered struct {
	parts []part
	size  int
}

// part is a piece of a body.
type part struct {
	memory []byte
	size   int  // of what was read into it
	lent   bool // by the system, to which it must be given back
}

// gather reads a body to its end, or as far as it may go and no more than a part further. It asks how far that is, most,
// for each part that it begins.
func gather(body io.Reader, most func(size int64) int64) (*gathered, error) {
	g := &gathered{}
	for next := firstPart; int64(g.size) <= most(int64(g.size+next)); next = min(2*next, largePart) {
		one := newPart(next)
		err := one.fill(body)
		g.parts, g.size = append(g.parts, one), g.size+one.size
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return g, err
		}
	}
	return g, nil
}

// fill reads until the part is full or the body ends.
func (p *part) fill(body io.Reader) error {
	for p.size < len(p.memory) {
		n, err := body.Read(p.memory[p.size:])
		if p.size += n; err != nil {
			return err
		}
	}
	return nil
}

// text joins the parts and releases their memory as it goes.
func (g *gathered) text() string {
	whole := newTextPart(g.size)
	for i, one := range g.parts {
		whole.size += copy(whole.memory[whole.size:], one.memory[:one.size])
		one.free()
		g.parts[i] = part{}
	}
	g.parts = nil
	return whole.text()
}

// free releases the memory of a body that is not needed.
func (g *gathered) free() {
	for _, one := range g.parts {
		one.free()
	}
	g.parts = nil
}

func newPart(size int) part {
	if size >= largePart {
		if memory := borrow(size); memory != nil {
			return part{lent: true, memory: memory}
		}
	}
	return part{memory: make([]byte, size)}
}

func (p part) free() {
	if p.lent {
		giveBack(p.memory)
	}
}

// newTextPart returns a part for a whole body, whose memory becomes that of its text.
func newTextPart(size int) part {
	memory := make([]byte, size)
	if size >= largeAnswer {
		preferHugePages(memory)
	}
	return part{memory: memory}
}

// text returns what was read as a text, without copying it. Nothing may be read into the part afterwards.
func (p part) text() string {
	return unsafe.String(unsafe.SliceData(p.memory), p.size) //nolint:gosec // as strings.Builder does, which would copy a body into its memory
}
