package commands_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
)

// TestASpanOfTheWholeLengthIsAccepted asks for as much as the service has, some time after the span was read, and for a little more.
// The service must not find it too long when the request arrives.
func TestASpanOfTheWholeLengthIsAccepted(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		command, argument, others string
		longest                   time.Duration
	}{
		{"microsoft-atp-list-vulnerability-changes", "since", "", 14 * day},
		{"microsoft-atp-export", "since", "kind=software_vulnerabilities", 14 * day},
		{"microsoft-atp-get-machine-by-ip", "timestamp", "ip=10.2.0.17", 30 * day},
	} {
		for _, late := range []time.Duration{time.Millisecond, 30 * time.Second, time.Minute} {
			i := commandstest.New(t)
			border := i.Clock.Now().Add(-test.longest)
			args := map[string]any{test.argument: border.Add(-late).Format(time.RFC3339Nano)}
			if name, value, given := strings.Cut(test.others, "="); given {
				args[name] = value
			}
			result := i.Run(test.command, args)
			last := result.Requests[len(result.Requests)-1]
			want := border.Add(time.Minute).UTC().Format(time.RFC3339)
			if got, err := url.QueryUnescape(last.URI); err != nil || !strings.Contains(got, want) || result.Err != nil {
				t.Errorf("%s, %s beyond the border: got %s and the error %v, want it to ask from %s", test.command, late, got, result.Err, want)
			}
		}
	}
}
