package execution_test

import (
	"bytes"
	stdlog "log"
	"strings"
	"testing"

	"xsoar-defender/execution"
)

func TestLibraryLogPassesOnNothingThatAPeerHasSent(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		`Unsolicited response received on idle HTTP channel starting with "HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"s3cret\"}"; err=<nil>`: "Unsolicited response received on idle HTTP channel starting with [left out]; err=<nil>",
		`http2: header "authorization" = "Bearer s3cret`:                               "http2: header [left out] = [left out]",
		"two\nlines with `s3cret`":                                                     "two lines with [left out]",
		"token eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJzdWIiOiJzM2NyZXQifQ.c2ln leaked": "token [left out] leaked",
		"http: TLS handshake error from 127.0.0.1:51234: EOF":                          "http: TLS handshake error from 127.0.0.1:51234: EOF",
	} {
		var errs bytes.Buffer
		stdlog.New(execution.LibraryLog(&errs), "", 0).Print(message)
		if got := strings.TrimPrefix(errs.String(), "xsoar-defender: a library says: "); got != want+"\n" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
