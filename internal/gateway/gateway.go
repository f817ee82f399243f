// Package gateway recognizes the answers of proxies and other gateways between this program and a service, which look like
// the service's own refusals to anything that reads only their status.
package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode"
)

// ByteOrderMark begins some JSON and HTML answers, although RFC 8259 forbids it in JSON.
const ByteOrderMark = "\uFEFF"

// Answer is the answer of a gateway instead of the service.
type Answer struct {
	Status int
	// Name is the name that the gateway gives itself, such as "squid/6.6" or "proxy.corp.test:3128"; empty if it does not say.
	Name string
	// Title is the title of its page; empty if it has none.
	Title string
}

// Detect reports whether an answer is a gateway's: a web page, or a demand to sign in to a proxy. A service of Microsoft
// answers with JSON, with an empty body, or with what the command downloads.
func Detect(status int, header http.Header, body string) (Answer, bool) {
	title, page := readPage(body)
	if !page && status != http.StatusProxyAuthRequired {
		return Answer{}, false
	}
	return Answer{Status: status, Name: nameIn(header), Title: title}, true
}

// String describes the answer in words that complete "X came from …".
func (a Answer) String() string {
	text := "a gateway on the way"
	if a.Name != "" {
		text += ", " + a.Name
	}
	text += fmt.Sprintf(" (HTTP %d", a.Status)
	if reason := cmp.Or(a.Title, http.StatusText(a.Status)); reason != "" {
		text += ": " + reason
	}
	return text + ")"
}

// Remedy says what to do about the answer, in one sentence without a full stop.
func (a Answer) Remedy() string {
	switch {
	case a.Status == http.StatusProxyAuthRequired:
		return "enter the credentials that the proxy expects in HTTPS_PROXY of the engine, or name the host in NO_PROXY"
	case a.Status == http.StatusNotFound:
		return "check the addresses of the instance, and the proxy if there is one"
	case a.Status >= http.StatusInternalServerError:
		return "try again in a few minutes; if it persists, check that the gateway reaches the host"
	}
	return "let the administrator of the gateway allow the engine to reach the host, and check Use system proxy settings of the instance"
}

// readPage returns the title of a web page, and whether body is one.
func readPage(body string) (title string, page bool) {
	start := strings.TrimLeftFunc(strings.TrimPrefix(body, ByteOrderMark), unicode.IsSpace)
	if !strings.HasPrefix(start, "<") {
		return "", false
	}
	lower := strings.ToLower(start)
	for _, opening := range []string{"<!doctype html", "<html", "<head", "<body", "<title", "<script", "<meta", "<center", "<h1"} {
		if strings.Contains(lower[:min(len(lower), pageStart)], opening) {
			return titleIn(start, lower), true
		}
	}
	return "", false
}

// pageStart is within how many bytes a page shows that it is HTML: comments and an XML declaration may come first.
const pageStart = 1 << 10

// titleIn returns the title of a page as one short line.
func titleIn(page, lower string) string {
	if len(page) != len(lower) { // a letter whose lower case has another length: positions do not agree
		page = lower
	}
	begin := strings.Index(lower, "<title")
	if begin < 0 {
		return ""
	}
	_, rest, found := strings.Cut(page[begin:], ">")
	if !found {
		return ""
	}
	text, _, _ := strings.Cut(rest, "<")
	return Line(text)
}

// nameIn returns what a gateway calls itself: in Via, in which proxies sign (RFC 9110, section 7.6.3), in the realm of the
// sign-in that it demands, or in Server.
func nameIn(header http.Header) string {
	if via := strings.Fields(header.Get("Via")); len(via) > 1 {
		return Line(strings.TrimSuffix(via[1], ","))
	}
	if _, realm, found := strings.Cut(header.Get("Proxy-Authenticate"), `realm="`); found {
		realm, _, _ = strings.Cut(realm, `"`)
		if name := Line(realm); name != "" {
			return name
		}
	}
	return Line(header.Get("Server"))
}

// Line returns text as one line of printable characters, cut after 120.
func Line(text string) string {
	const most = 120
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// ProxyError is the error of a request that did not get beyond the proxy of the instance: a *ConnectError or an
// *UnusableProxyError.
type ProxyError interface {
	error
	// Remedy returns what to do, as part of a sentence.
	Remedy() string
	ofProxy()
}

// UnusableProxyError reports that there is no connection to the proxy.
type UnusableProxyError struct {
	// Proxy is the host and port of the proxy; empty if the setting is no address.
	Proxy string
	Err   error
}

func (*UnusableProxyError) ofProxy() {}

func (e *UnusableProxyError) Error() string {
	if e.Proxy == "" {
		return "HTTPS_PROXY is not the address of a proxy"
	}
	return fmt.Sprintf("the proxy %s could not be reached", e.Proxy)
}

// Remedy returns what to do about the proxy.
func (e *UnusableProxyError) Remedy() string {
	return "check HTTPS_PROXY of the engine, or clear Use system proxy settings in the instance"
}

func (e *UnusableProxyError) Unwrap() error { return e.Err }

// Timeout reports whether the proxy did not answer in time. Package net/http asks the errors of a transport for it.
func (e *UnusableProxyError) Timeout() bool {
	return IsTimeout(e.Err)
}

// IsTimeout reports whether a request failed because something did not answer in time.
func IsTimeout(err error) bool {
	timed, ok := errors.AsType[net.Error](err)
	return ok && timed.Timeout()
}

// ConnectError is a proxy's refusal of a tunnel to the service.
type ConnectError struct {
	Answer

	// Proxy is the host and port of the proxy.
	Proxy string
}

func (*ConnectError) ofProxy() {}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("the proxy %s refused the connection (HTTP %d: %s)", e.Proxy, e.Status,
		cmp.Or(e.Title, http.StatusText(e.Status), "no reason given"))
}
