package defender

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/rawjson"
)

// refusal reads the body of an error answer. A body that nobody can read leaves code and message empty.
func refusal(operation Operation, response *http.Response, body string, after time.Duration) *APIError {
	refused := &APIError{Operation: operation, Status: response.StatusCode, RetryAfter: after}
	if whole, err := rawjson.Parse(body); err == nil {
		refused.Code, refused.Message, refused.Target = readError(whole)
	} else {
		refused.Message, refused.Foreign = plainWords(body), true
	}
	return refused
}

// readError reads an error of the API, of Microsoft Graph, of OData 3 ("odata.error", whose message is an object) and of
// the gateways in front of them (a bare message, problem details of RFC 9457, a list of errors). Where the outer error says
// nothing, the inner one counts.
func readError(whole rawjson.Value) (code, message, target string) {
	if first := whole.Items(""); len(first) > 0 {
		whole = first[0]
	}
	inner, word := whole, ""
	for _, name := range []string{"error", "Error", "odata.error"} {
		if found := whole.Key(name); found.IsObject() {
			inner = rawjson.Value(found.Raw)
			break
		} else if word == "" && !found.IsArray() { // a list is not a word
			word = rawjson.Plain(found)
		}
	}
	code = cmp.Or(inner.Text("code", "Code", "errorCode"), word)
	message = inner.Text("error_description", "message", "Message", "detail")
	if nested := inner.Key("message"); nested.IsObject() {
		message = rawjson.Value(nested.Raw).Text("value", "Value")
	}
	if code == "" || message == "" { // what has both needs no more words
		message = joined(inner.Text("title"), message, severalErrors(inner))
	}
	target = inner.Text("target")
	for _, name := range []string{"innererror", "innerError", "InnerError"} {
		if nested := inner.Key(name); code == "" && message == "" && nested.IsObject() {
			return readError(rawjson.Value(nested.Raw))
		}
	}
	return wordsIn(code), wordsIn(message), clip(target)
}

// wordsIn returns a text of an error as one line; an empty object or list where a text should be says nothing.
func wordsIn(text string) string {
	if text = clip(text); text == "{}" || text == "[]" {
		return ""
	}
	return text
}

// severalErrors reads errors that an error lists: objects or texts in "details" or "errors", or for each property that is
// wrong the texts about it.
func severalErrors(inner rawjson.Value) string {
	const most = 3 // more of them say the same again
	var words []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(words) < most && !slices.Contains(words, text) {
			words = append(words, text)
		}
	}
	for _, name := range []string{"details", "errors", "Errors"} {
		found := inner.Key(name)
		if !found.IsArray() && !found.IsObject() {
			continue
		}
		found.ForEach(func(key, value gjson.Result) bool {
			switch {
			case value.IsObject():
				code, message, _ := readError(rawjson.Value(value.Raw))
				add(joined(code, message))
			case value.IsArray():
				for _, one := range value.Array() {
					add(joined(key.String(), rawjson.Plain(one)))
				}
			default:
				add(rawjson.Plain(value))
			}
			return true
		})
	}
	return strings.Join(words, "; ")
}

// plainWords returns what an answer says that is not JSON: the code and the message of XML, as the file stores of Azure
// write it (https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2), or a text as one line. Binary data
// and JSON that was cut off say nothing.
func plainWords(body string) string {
	body = strings.TrimSpace(strings.TrimPrefix(body, gateway.ByteOrderMark))
	if !utf8.ValidString(body) || strings.ContainsRune(body, 0) {
		return ""
	}
	switch {
	case strings.HasPrefix(body, "<"):
		return wordsOfXML(body)
	case strings.HasPrefix(body, "{") || strings.HasPrefix(body, "["):
		return ""
	}
	return gateway.Line(body)
}

// wordsOfXML returns the texts of the elements code and message, as far as the XML can be read.
func wordsOfXML(body string) string {
	decoder := xml.NewDecoder(strings.NewReader(body))
	var words []string
	wanted := false
	for {
		token, err := decoder.RawToken()
		if err != nil {
			return gateway.Line(strings.Join(words, ": "))
		}
		switch token := token.(type) {
		case xml.StartElement:
			wanted = strings.EqualFold(token.Name.Local, "code") || strings.EqualFold(token.Name.Local, "message")
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); wanted && text != "" {
				words = append(words, text)
			}
		case xml.EndElement:
			wanted = false
		}
	}
}

// errorIn returns the error that the service put in an answer of success, or nil without one. An object of the service
// that has a property called error has an id as well.
func errorIn(operation Operation, status int, whole rawjson.Value) *APIError {
	if len(whole) > largeAnswer || !strings.Contains(string(whole), `rror"`) { // no error has megabytes, and most answers have none
		return nil
	}
	found := slices.ContainsFunc([]string{"error", "Error", "odata.error"}, func(name string) bool {
		value := whole.Key(name)
		return value.IsObject() || value.Type == gjson.String && value.Str != ""
	})
	if !found || whole.Has("id") {
		return nil
	}
	refused := &APIError{Operation: operation, Status: status}
	if refused.Code, refused.Message, refused.Target = readError(whole); refused.Code == "" && refused.Message == "" {
		return nil
	}
	return refused
}

// lacks is the error of an answer of success without what it must have. It quotes what is there instead.
func lacks(operation Operation, problem string, whole rawjson.Value) *AnswerError {
	return &AnswerError{Operation: operation, Status: http.StatusOK, Problem: problem, Said: Says(whole)}
}

// Says returns what an answer says that is not what was asked for: its code and message, or "" if it has neither.
func Says(whole rawjson.Value) string {
	code, message, _ := readError(whole)
	return joined(code, message)
}

// joined puts the texts that there are after each other, each once.
func joined(texts ...string) string {
	var all string
	for _, text := range texts {
		switch {
		case all == "":
			all = text
		case text != "" && !strings.Contains(all, text):
			all = strings.TrimRight(all, ".: \n") + ": " + text
		}
	}
	return all
}

// holdsNothing reports whether an answer has no property of an object of the service: none at all, or only annotations and
// the words of an error.
func holdsNothing(whole rawjson.Value) bool {
	nothing := true
	whole.Each(func(key string, _ rawjson.Value) {
		switch strings.ToLower(key) {
		case "code", "errorcode", "statuscode", "status", "message", "title", "detail", "type", "target", "error_description", "errors", "details",
			"innererror", "error", "traceid", "requestid", "activityid", "correlationid", "instance", "date", "request-id", "client-request-id":
			return
		}
		nothing = nothing && strings.Contains(key, "@")
	})
	return nothing
}

// clip makes one line of a text of the service, and bounds it, for an error sentence.
func clip(text string) string {
	const most = 600
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + "…"
}
