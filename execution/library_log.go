package execution

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// LibraryLog returns the writer for the standard logger of the process, to which libraries write. net/http quotes there
// what a peer has sent at the wrong time, which may be tokens or data of a tenant, and nothing here knows them all. So it
// passes on a line without anything that is quoted, and without words that are long enough to be a secret.
func LibraryLog(errors io.Writer) io.Writer { return libraryLog{errors} }

type libraryLog struct{ errors io.Writer }

// quoted is a text in quotes of any kind, even if the end of it is missing.
var quoted = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*(?:\"|$)|`[^`]*(?:`|$)|'(?:[^'\\\\]|\\\\.)*(?:'|$)")
})

// secretWord is a word that may be a token, a key or an encoded text.
var secretWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9+/=_.~%-]{32,}`) })

// Write writes a message as one line.
func (l libraryLog) Write(message []byte) (int, error) {
	line := strings.Join(strings.Fields(string(message)), " ")
	line = secretWord().ReplaceAllString(quoted().ReplaceAllString(line, "[left out]"), "[left out]")
	if _, err := fmt.Fprintln(l.errors, "xsoar-defender: a library says:", readable(line)); err != nil {
		return 0, err
	}
	return len(message), nil
}
