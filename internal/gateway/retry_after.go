package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter is the longest wait that is believed: no quota that Microsoft documents is counted over more than
// a day (https://learn.microsoft.com/graph/throttling-limits).
const longestRetryAfter = 24 * time.Hour

// RetryAfter reads the wait that an answer asks for in its Retry-After header: seconds or a date. It returns 0 if there is no
// usable one.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, longestRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), longestRetryAfter)
	}
	return 0
}
