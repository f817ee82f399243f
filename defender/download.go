package defender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
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
	Err      error
}

func (*DownloadError) defenderError() {}

func (e *DownloadError) Error() string {
	switch {
	case e.TooLarge > 0:
		return fmt.Sprintf("The download failed: the file is larger than %d MB. Raise max_size_in_mb.", e.TooLarge>>20)
	case e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("The download failed: the link has expired or was refused (HTTP %d). Ask for the result again.", e.Status)
	case e.Status > 0:
		return fmt.Sprintf("The download failed: the file store answered HTTP %d. Try again later.", e.Status)
	}
	if tooManyFiles(e.Err) {
		return fmt.Sprintf("The download failed: %s. %s", innermost(e.Err), moreFiles)
	}
	return fmt.Sprintf("The download failed: %s. Try again.", innermost(e.Err))
}

func (e *DownloadError) Unwrap() error { return e.Err }

// Expired reports whether the link no longer leads to the file, so that a new one may.
func (e *DownloadError) Expired() bool {
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

// secureLink lets through https, and http on this machine, where tests serve it.
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
		if err == nil && response.StatusCode == http.StatusOK {
			return response, nil
		}
		failed := &DownloadError{Err: cause(ctx, err)}
		again := err != nil
		if err == nil {
			drain(response.Body)
			failed.Status, again = response.StatusCode, response.StatusCode >= http.StatusInternalServerError
		}
		if !again || attempt == attempts || ctx.Err() != nil || !c.patience.alone(ctx, firstPause<<(attempt-1)) {
			return nil, failed
		}
	}
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
