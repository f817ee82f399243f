package loopback

import (
	"html"
	"net/http"
	"strconv"
)

// Page is shown in the browser at the end of a login. Its texts are plain text, even if the authority wrote them.
type Page struct {
	Title, Text string
	// Failed reports whether the login failed.
	Failed bool
}

// The pages for requests that are not the answer of the login. They reveal nothing about it.
var (
	pageNothing = Page{Title: "Nothing here", Text: "This address belongs to a login that is waiting in a terminal."}
	pageOther   = Page{Title: "This is another login", Text: "The address does not belong to the login that is waiting. Open the newest address that the terminal shows."}
	pageEmpty   = Page{Title: "There is no code", Text: "The address holds neither a code nor an error. Open the address that the terminal shows."}
	pageSecond  = Page{Title: "The login is over", Text: "An answer was already received. The terminal shows the result."}
)

func (p Page) status() int {
	if p.Failed {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// write sends the page. It loads nothing, runs nothing, is not cached, and does not pass on the address that holds the
// code.
func (p Page) write(w http.ResponseWriter, status int) {
	text := "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" + html.EscapeString(p.Title) +
		"</title>\n</head>\n<body>\n<h1>" + html.EscapeString(p.Title) + "</h1>\n<p>" + html.EscapeString(p.Text) + "</p>\n</body>\n</html>\n"
	header := w.Header()
	for name, value := range map[string]string{
		"Cache-Control":           "no-store",
		"Content-Length":          strconv.Itoa(len(text)),
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Content-Type":            "text/html; charset=utf-8",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
	} {
		header.Set(name, value)
	}
	w.WriteHeader(status)
	// A browser that is gone needs no page. Any other gets all of it before the server is closed.
	_, _ = w.Write([]byte(text))
	_ = http.NewResponseController(w).Flush()
}
