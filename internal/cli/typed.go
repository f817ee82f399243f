package cli

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"

	"xsoar-defender/warroom"
)

// typedLines reads lines that a user types or pastes at a terminal which does not collect lines itself: so none is cut.
// It shows what is typed, and knows the keys that take it back.
type typedLines struct {
	in   *bufio.Reader
	echo io.Writer
}

// The keys that a terminal sends.
const (
	keyEnd       = 0x04 // Ctrl-D
	keyBackspace = 0x08
	keyClear     = 0x15 // Ctrl-U
	keyDelete    = 0x7f
)

// longestTyped bounds a line in bytes. An address of a login has a few thousand.
const longestTyped = 64 << 10

var errTypedTooLong = errors.New("the line is too long for the address of a login")

// line returns the next line without its end. What is typed when the input ends counts as a line.
func (t *typedLines) line() (string, error) {
	var line []byte
	erase := func() {
		if len(line) == 0 {
			return
		}
		_, size := utf8.DecodeLastRune(line)
		line = line[:len(line)-size]
		_, _ = io.WriteString(t.echo, "\b \b")
	}
	for {
		r, size, err := t.in.ReadRune()
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
		switch r {
		case '\r', '\n':
			_, err := io.WriteString(t.echo, "\n")
			return string(line), err
		case keyEnd:
			if len(line) == 0 {
				return "", io.EOF
			}
		case keyBackspace, keyDelete:
			erase()
		case keyClear:
			for len(line) > 0 {
				erase()
			}
		default:
			if r == utf8.RuneError && size == 1 {
				continue
			}
			if len(line)+size > longestTyped {
				return "", errTypedTooLong
			}
			line = utf8.AppendRune(line, r)
			// A terminal that is written to is not important enough to end the login.
			_, _ = io.WriteString(t.echo, warroom.Visible(string(r)))
		}
	}
}
