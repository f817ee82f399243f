package defender

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/rawjson"
)

// Downloaded describes a downloaded file.
type Downloaded struct {
	// Size is the number of bytes and SHA256 their hash in lower-case hex.
	Size   int64
	SHA256 string
}

// DownloadError reports that a file could not be downloaded. It never contains the link, whose query is a key to the
// file.
type DownloadError struct {
	// Status is the answer's HTTP status; zero without an answer.
	Status int
	// TooLarge is the limit in bytes that the file passed; zero when that was not the reason.
	TooLarge int64
	// Gateway is the gateway that answered instead of the file store, or nil.
	Gateway *gateway.Answer
	// Said has the words of the file store, if there are any.
	Said string
	Err  error
}

func (*DownloadError) defenderError() {}

func (e *DownloadError) Error() string {
	answer := fmt.Sprintf("HTTP %d", e.Status)
	if said := strings.TrimRight(e.Said, ". "); said != "" {
		answer += ": " + said
	}
	switch {
	case e.TooLarge > 0:
		return fmt.Sprintf("The download failed: the file is larger than %d MB. Raise max_size_in_mb.", e.TooLarge>>20)
	case e.Gateway != nil:
		return fmt.Sprintf("The download failed: the answer came from %s, not from the file store. %s.", e.Gateway, capitalized(e.Gateway.Remedy()))
	case e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("The download failed: the link has expired or was refused (%s). Ask for the result again.", answer)
	case e.Status > 0:
		return fmt.Sprintf("The download failed: the file store answered %s. Try again later.", answer)
	}
	if refused, ok := errors.AsType[gateway.ProxyError](e.Err); ok {
		return fmt.Sprintf("The download failed: %s. %s.", refused, capitalized(refused.Remedy()))
	}
	if tooManyFiles(e.Err) {
		return fmt.Sprintf("The download failed: %s. %s", innermost(e.Err), moreFiles)
	}
	return fmt.Sprintf("The download failed: %s. Try again.", innermost(e.Err))
}

func (e *DownloadError) Unwrap() error { return e.Err }

// Expired reports whether the link no longer leads to the file, so that a new one may.
func (e *DownloadError) Expired() bool {
	if e.Gateway != nil {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// Download streams the file behind a link of the service to into. The link carries its own
// authorization: it is asked without a token. A file larger than most bytes is given up.
func (c *Client) Download(ctx context.Context, link string, into io.Writer, most int64) (Downloaded, error) {
	target, err := fileBehind(link)
	if err != nil {
		return Downloaded{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slow := time.AfterFunc(c.limits.Attempt, func() { cancel(errTooSlow) })
	defer slow.Stop()
	response, err := c.fetch(ctx, target)
	if err != nil {
		return Downloaded{}, err
	}
	defer response.Body.Close()
	if progress := c.options.Progress; progress != nil {
		into = &countedWriter{to: into, total: response.ContentLength, progress: progress}
		progress.Downloaded(0, response.ContentLength)
	}
	hash := sha256.New()
	body := &pacedBody{body: io.LimitReader(response.Body, most+1), progress: func() { slow.Reset(c.limits.Attempt) }}
	size, err := io.Copy(io.MultiWriter(into, hash), body)
	switch {
	case err != nil, ctx.Err() != nil: // a store that learns that nobody is waiting may end the file early
		return Downloaded{}, &DownloadError{Err: cause(ctx, err)}
	case size > most:
		return Downloaded{}, &DownloadError{TooLarge: most}
	}
	return Downloaded{Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// countedWriter counts the bytes written.
type countedWriter struct {
	to         io.Writer
	got, total int64
	progress   Progress
}

func (w *countedWriter) Write(part []byte) (int, error) {
	written, err := w.to.Write(part)
	w.got += int64(written)
	w.progress.Downloaded(w.got, w.total)
	return written, err
}

// secureLink reports whether a link is https, or http on this machine, where tests serve it.
func secureLink(target *url.URL) bool {
	address := net.ParseIP(target.Hostname())
	return target.Scheme == "https" || target.Scheme == "http" && address != nil && address.IsLoopback()
}

// fileBehind returns the address of a link of the service, which must be one of https.
func fileBehind(link string) (*url.URL, error) {
	target, err := url.Parse(link)
	if err != nil || !secureLink(target) {
		return nil, &DownloadError{Err: errors.New("the service returned a link that is not an https address")}
	}
	return target, nil
}

// fetch asks for the file, again after failures of the store or the network.
func (c *Client) fetch(ctx context.Context, target *url.URL) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return nil, &DownloadError{Err: errors.New("the link is not valid")}
		}
		request.Header.Set("User-Agent", "xsoar-defender/"+c.options.Version)
		response, err := c.options.Transport.Do(request)
		if err == nil && response.StatusCode == http.StatusOK && !isPage(response) {
			return response, nil
		}
		failed := &DownloadError{Err: cause(ctx, err)}
		again := err != nil
		if err == nil {
			failed, again = refusedDownload(response, target), response.StatusCode >= http.StatusInternalServerError
		}
		if !again || attempt == attempts || ctx.Err() != nil || !c.patience.alone(ctx, firstPause<<(attempt-1)) {
			return nil, failed
		}
	}
}

// isPage reports whether an answer is a web page, which no file of the service is: those are archives and JSON. It leaves the
// body to be read from its beginning.
func isPage(response *http.Response) bool {
	if !strings.Contains(strings.ToLower(response.Header.Get("Content-Type")), "html") {
		return false
	}
	body := bufio.NewReader(response.Body)
	head, _ := body.Peek(pageHead) // the rest of a shorter body, or an error that reading the body meets as well
	response.Body = struct {
		io.Reader
		io.Closer
	}{body, response.Body}
	_, page := gateway.Detect(response.StatusCode, response.Header, string(head))
	return page
}

// pageHead is within how many bytes a page shows that it is one.
const pageHead = 1 << 10

// refusedDownload reads an answer that is not the file. The link is kept out of what it says.
func refusedDownload(response *http.Response, target *url.URL) *DownloadError {
	body := drain(response.Body)
	hidden := func(text string) string {
		parts := []string{target.RawQuery}
		for _, values := range target.Query() {
			parts = append(parts, values...)
		}
		for _, part := range parts {
			if len(part) >= shortestToken {
				text = strings.ReplaceAll(text, part, "[redacted]")
			}
		}
		return text
	}
	failed := &DownloadError{Status: response.StatusCode}
	whole, noJSON := rawjson.Parse(body)
	switch page, isPage := gateway.Detect(response.StatusCode, response.Header, hidden(body)); {
	case isPage:
		failed.Gateway = &page
	case noJSON == nil:
		failed.Said = hidden(Says(whole))
	default:
		failed.Said = hidden(plainWords(body))
	}
	return failed
}

// cause is why a context ended, when that is why something failed, and else the failure without the link, which
// net/http puts into its errors.
func cause(ctx context.Context, err error) error {
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	if network, ok := errors.AsType[*url.Error](err); ok {
		return network.Err
	}
	return err
}
