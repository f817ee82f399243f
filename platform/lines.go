package platform

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// MaxLine is the longest line that is read, in bytes. Params and args together may pass a megabyte; beyond
// this no message of the platform is meant.
const MaxLine = 64 << 20

// errLongLine means that a line was longer than MaxLine. The rest of it was skipped.
var errLongLine = errors.New("the line is longer than 64 MiB")

// line is one line of the platform, or the reason why it could not be read.
type line struct {
	text []byte
	err  error
}

// readLines reads lines until the input ends, and closes both channels then. It runs during an execution, so that
// the end of the input is seen while a callback waits for its answer.
func readLines(in io.Reader, stop <-chan struct{}) (<-chan line, <-chan struct{}) {
	lines, ended := make(chan line), make(chan struct{})
	go func() {
		defer close(lines)
		defer close(ended)
		reader := bufio.NewReaderSize(in, 16<<10)
		for {
			text, err := readLine(reader, MaxLine)
			if err != nil && !errors.Is(err, errLongLine) {
				return
			}
			select {
			case lines <- line{text, err}:
			case <-stop:
				return
			}
		}
	}()
	return lines, ended
}

// readLine reads one line without its end, which with it has no more than most bytes. A last line without an end counts as
// a line.
func readLine(reader *bufio.Reader, most int) ([]byte, error) {
	var text []byte
	tooLong := false
	for {
		part, err := reader.ReadSlice('\n')
		if len(text)+len(part) > most {
			tooLong, text = true, nil
		}
		if !tooLong {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (len(text) == 0 && !tooLong || !errors.Is(err, io.EOF)):
			return nil, err
		case tooLong:
			return nil, errLongLine
		}
		return bytes.TrimRight(text, "\r\n"), nil
	}
}
