package loopback

import (
	"html"
	"net/http"
	"strconv"
)

// Page is what the browser shows at the end. Its texts are plain ones, whoever wrote them.
type Page struct {
	Title, Text string
	// Failed says that the login did not work.
	Failed bool
}

// The pages for what is not the answer of the login. They tell nothing of it.
var (
	pageNothing = Page{Title: "Nothing is here", Text: "This address belongs to a login that is waiting in a terminal."}
	pageOther   = Page{Title: "This is another login", Text: "What brought you here does not belong to the login that is waiting. Open the newest address that the terminal shows."}
	pageEmpty   = Page{Title: "There is no code", Text: "What brought you here holds neither a code nor an error. Open the address that the terminal shows."}
	pageSecond  = Page{Title: "The login is over", Text: "An answer has come already. What became of it stands in the terminal."}
)

func (p Page) status() int {
	if p.Failed {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// write sends the page. It loads nothing, runs nothing, is kept nowhere, and takes the address that brought the code
// no further.
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
	// A browser that is gone needs no page. One that is there gets all of it before the server is closed.
	_, _ = w.Write([]byte(text))
	_ = http.NewResponseController(w).Flush()
}
