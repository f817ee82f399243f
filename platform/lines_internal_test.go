package platform

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLinesAreReadToTheirEnd reads inputs of which a line has no more than twenty bytes, through a buffer of sixteen.
func TestLinesAreReadToTheirEnd(t *testing.T) {
	broken := errors.New("the pipe broke")
	for name, test := range map[string]struct {
		in    io.Reader
		lines []string
		end   error
	}{
		"nothing":                      {strings.NewReader(""), nil, io.EOF},
		"two lines":                    {strings.NewReader("one\ntwo\r\n"), []string{"one", "two"}, io.EOF},
		"an empty line":                {strings.NewReader("\n"), []string{""}, io.EOF},
		"a last line without an end":   {strings.NewReader("one\ntwo"), []string{"one", "two"}, io.EOF},
		"more than the buffer":         {strings.NewReader("12345678901234567\none\n"), []string{"12345678901234567", "one"}, io.EOF},
		"just as long as may be":       {strings.NewReader("1234567890123456789\none\n"), []string{"1234567890123456789", "one"}, io.EOF},
		"one byte more":                {strings.NewReader("12345678901234567890\none\n"), []string{"too long", "one"}, io.EOF},
		"too long, and without an end": {strings.NewReader("one\n" + strings.Repeat("x", 50)), []string{"one", "too long"}, io.EOF},
		"a break":                      {iotest.ErrReader(broken), nil, broken},
		"a break in a line":            {io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(broken)), []string{"one"}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			reader := bufio.NewReaderSize(test.in, 16)
			var got []string
			for {
				text, err := readLine(reader, 20)
				switch {
				case errors.Is(err, errLongLine):
					text = []byte("too long")
				case err != nil:
					if !errors.Is(err, test.end) || strings.Join(got, "|") != strings.Join(test.lines, "|") || len(got) != len(test.lines) {
						t.Errorf("got %q and the end %v, want %q and %v", got, err, test.lines, test.end)
					}
					return
				}
				if got = append(got, string(text)); len(got) > len(test.lines) {
					t.Fatalf("got %q, want %q and no more", got, test.lines)
				}
			}
		})
	}
}
