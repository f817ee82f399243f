package commands

import (
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/rawjson"
)

// TestDomainNamesAreAsLongAsTheyMayBe tries the limits of RFC 1035, in bytes: 63 of a label, and 253 of all.
func TestDomainNamesAreAsLongAsTheyMayBe(t *testing.T) {
	label := strings.Repeat("a", 63)
	whole := strings.Join([]string{label, label, label, strings.Repeat("b", 57), "net"}, ".")
	for value, fits := range map[string]bool{label + ".net": true, label + "a.net": false, whole: true, "b" + whole: false, "net": false, "a..net": false} {
		if got := domainProblem(value); (got == "") != fits {
			t.Errorf("%q with %d bytes: got %q, want it to be taken: %t", value, len(value), got, fits)
		}
	}
}

func TestAQueryOfABatchMayHaveATimeoutOfItsOwn(t *testing.T) {
	for text, want := range map[string]time.Duration{`{"query":"T"}`: time.Minute, `{"query":"T","timeout":5}`: 5 * time.Second, `{"query":"T","timeout":"90"}`: 90 * time.Second} {
		if got, err := huntOf(&Run{}, rawjson.Value(text), time.Minute, 0); err != nil || got.Timeout != want {
			t.Errorf("%s: got %s and %v, want %s", text, got.Timeout, err, want)
		}
	}
}
