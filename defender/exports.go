package defender

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// The exports of all that the service knows of every machine. Each has a variant that answers in JSON, page by page, and
// most have one that answers with links to files.
var (
	ExportSecureConfiguration      = Operation{Purpose: "export the secure configuration assessment", Method: http.MethodGet, Path: "/api/machines/SecureConfigurationsAssessmentByMachine", Docs: "/defender-endpoint/api/get-assessment-secure-config", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: pagesRate}
	ExportSecureConfigurationFiles = Operation{Purpose: "export the secure configuration assessment as files", Method: http.MethodGet, Path: "/api/machines/SecureConfigurationsAssessmentExport", Docs: "/defender-endpoint/api/get-assessment-secure-config", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: filesRate}
	ExportSoftware                 = Operation{Purpose: "export the software inventory", Method: http.MethodGet, Path: "/api/machines/SoftwareInventoryByMachine", Docs: "/defender-endpoint/api/get-assessment-software-inventory", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: pagesRate}
	ExportSoftwareFiles            = Operation{Purpose: "export the software inventory as files", Method: http.MethodGet, Path: "/api/machines/SoftwareInventoryExport", Docs: "/defender-endpoint/api/get-assessment-software-inventory", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: filesRate}
	ExportVulnerabilities          = Operation{Purpose: "export the software vulnerabilities", Method: http.MethodGet, Path: "/api/machines/SoftwareVulnerabilitiesByMachine", Docs: "/defender-endpoint/api/get-assessment-software-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: pagesRate}
	ExportVulnerabilitiesFiles     = Operation{Purpose: "export the software vulnerabilities as files", Method: http.MethodGet, Path: "/api/machines/SoftwareVulnerabilitiesExport", Docs: "/defender-endpoint/api/get-assessment-software-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: filesRate}
	ExportVulnerabilityChanges     = Operation{Purpose: "export the changes of software vulnerabilities", Method: http.MethodGet, Path: "/api/machines/SoftwareVulnerabilityChangesByMachine", Docs: "/defender-endpoint/api/get-assessment-software-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: pagesRate}
	ExportOtherSoftware            = Operation{Purpose: "export the inventory of software without a product code", Method: http.MethodGet, Path: "/api/machines/SoftwareInventoryNoProductCodeByMachine", Docs: "/defender-endpoint/api/get-assessment-non-cpe-software-inventory", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: pagesRate}
	ExportOtherSoftwareFiles       = Operation{Purpose: "export the inventory of software without a product code as files", Method: http.MethodGet, Path: "/api/machines/SoftwareInventoryNonCpeExport", Docs: "/defender-endpoint/api/get-assessment-non-cpe-software-inventory", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: filesRate}
	ExportBrowserExtensions        = Operation{Purpose: "export the browser extensions", Method: http.MethodGet, Path: "/api/machines/BrowserExtensionsInventoryByMachine", Docs: "/defender-endpoint/api/get-assessment-browser-extensions", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: pagesRate}
	ExportBrowserExtensionsFiles   = Operation{Purpose: "export the browser extensions as files", Method: http.MethodGet, Path: "/api/machines/browserextensionsinventoryExport", Docs: "/defender-endpoint/api/get-assessment-browser-extensions", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: filesRate}
	ExportInformationFiles         = Operation{Purpose: "export the additional information on machines as files", Method: http.MethodGet, Path: "/api/machines/InfoGatheringExport", Docs: "/defender-endpoint/api/get-assessment-information-gathering", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: filesRate}
	ExportCertificates             = Operation{Purpose: "export the certificate inventory", Method: http.MethodGet, Path: "/api/machines/certificateAssessmentByMachine", Docs: "/defender-endpoint/api/export-certificate-inventory-assessment", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: pagesRate}
	ExportCertificatesFiles        = Operation{Purpose: "export the certificate inventory as files", Method: http.MethodGet, Path: "/api/machines/certificateAssessmentExport", Docs: "/defender-endpoint/api/export-certificate-inventory-assessment", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: filesRate}
	ExportHardware                 = Operation{Purpose: "export the hardware and firmware inventory", Method: http.MethodGet, Path: "/api/machines/HardwareFirmwareInventoryByMachine", Docs: "/defender-endpoint/api/export-firmware-hardware-assessment", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: pagesRate}
	ExportHardwareFiles            = Operation{Purpose: "export the hardware and firmware inventory as files", Method: http.MethodGet, Path: "/api/machines/HardwareFirmwareInventoryExport", Docs: "/defender-endpoint/api/export-firmware-hardware-assessment", Application: mayReadSoftware, Delegated: userReadsSoftware, Rate: filesRate}
	ExportBaselines                = Operation{Purpose: "export the compliance with security baselines", Method: http.MethodGet, Path: "/api/machines/baselineComplianceAssessmentByMachine", Docs: "/defender-endpoint/api/export-security-baseline-assessment", Application: mayReadBaselines, Delegated: userReadsBaselines, Rate: pagesRate}
	ExportBaselinesFiles           = Operation{Purpose: "export the compliance with security baselines as files", Method: http.MethodGet, Path: "/api/machines/BaselineComplianceAssessmentExport", Docs: "/defender-endpoint/api/export-security-baseline-assessment", Application: mayReadBaselines, Delegated: userReadsBaselines, Rate: filesRate}
	ListDeviceAVInfo               = Operation{Purpose: "list the antivirus health of machines", Method: http.MethodGet, Path: "/api/deviceavinfo", Docs: "/defender-endpoint/api/device-health-export-antivirus-health-report-api", Application: mayReadAntivirus, Delegated: userReadsAntivirus, Rate: pagesRate, LargestPage: 10_000}
)

var (
	mayReadBaselines   = []string{"SecurityBaselinesAssessment.Read.All"}
	userReadsBaselines = []string{"SecurityBaselinesAssessment.Read"}
	mayReadAntivirus   = []string{"Machine.Read.All"}
	userReadsAntivirus = []string{"Machine.Read"}

	// pagesRate and filesRate are those of the two variants of the exports
	// (https://learn.microsoft.com/defender-endpoint/api/get-assessment-software-inventory).
	pagesRate = Rate{PerMinute: 30, PerHour: 1000}
	filesRate = Rate{PerMinute: 5, PerHour: 20}
)

// DeviceAVInfo lists the antivirus health of machines.
func (c *Client) DeviceAVInfo(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListDeviceAVInfo, q)
}

// exportPageSize is how many records a page of an export has: what the service documents as the default.
const exportPageSize = 50_000

// ExportPage names one page of an export that answers in JSON.
type ExportPage struct {
	Operation Operation
	// Since is the time from which changes are exported; zero for exports of everything.
	Since time.Time
	// Next is the link that the page before returned; empty for the first page.
	Next string
}

// StreamPage reads a page of an export record by record, without holding it in memory. It calls begin before the first
// record, and again if the page must be read again from its start; record is valid during a call of visit only. The
// result is for the Next of the page that follows; empty after the last.
func (c *Client) StreamPage(ctx context.Context, page ExportPage, begin func() error, visit func(record []byte) error) (next string, err error) {
	r := request{operation: page.Operation}
	switch {
	case page.Next == "":
		r.query = page.firstQuery()
	case strings.HasPrefix(page.Next, "?"):
		skip, err := strconv.Atoi(page.Next[1:])
		if err != nil {
			return "", page.leadsNowhere()
		}
		r.query = page.firstQuery()
		r.query.Skip = skip
	default:
		if r.link = c.ownLink(page); r.link == "" {
			return "", page.leadsNowhere()
		}
	}
	count, began := 0, false
	// own is an error of the caller, which is returned as it is: the request did not fail.
	var own error
	err = c.streamed(ctx, r, func(body io.Reader) error {
		if own = begin(); own != nil {
			return own
		}
		next, count, began = "", 0, true
		return scanPage(body, func(record []byte) error {
			count++
			own = visit(record)
			return own
		}, &next)
	})
	switch {
	case own != nil:
		return "", own
	case err == nil && !began:
		return "", &AnswerError{Operation: page.Operation, Status: http.StatusNoContent, Problem: "empty"}
	}
	next = strings.ReplaceAll(next, " ", "%20") // links with plain spaces have been seen, which no request may hold
	if top := page.Operation.LargestPage; err == nil && next == "" && top > 0 && count >= top {
		next = "?" + strconv.Itoa(r.query.Skip+count)
	}
	return next, err
}

// leadsNowhere is the error for an answer whose link to the next page does not lead to one.
func (p ExportPage) leadsNowhere() error {
	return &AnswerError{Operation: p.Operation, Status: http.StatusOK, Problem: "with a link to the next page that leads nowhere"}
}

func (p ExportPage) firstQuery() Query {
	query := Query{}
	if p.Operation.LargestPage > 0 {
		query.top = p.Operation.LargestPage
		return query
	}
	if !p.Since.IsZero() {
		query.Options = append(query.Options, Option{"sinceTime", p.Since.UTC().Format(time.RFC3339)})
	}
	query.Options = append(query.Options, Option{"pageSize", strconv.Itoa(exportPageSize)})
	return query
}

// ownLink is the link to a next page on this API; empty if the page has no link. Microsoft's own sample has a link to another
// host (https://learn.microsoft.com/defender-endpoint/api/get-assessment-software-vulnerabilities): of such a one the
// query is taken, which says where to continue, and the token stays where it belongs.
func (c *Client) ownLink(page ExportPage) string {
	if c.ours(page.Operation, page.Next) {
		return page.Next
	}
	target, err := url.Parse(page.Next)
	if err != nil || target.RawQuery == "" {
		return ""
	}
	return strings.TrimSuffix(c.options.API.String(), "/") + page.Operation.Path + "?" + target.RawQuery
}

// ExportFiles are the files of an export: a snapshot that the service renews about every six hours.
type ExportFiles struct {
	Links []string
	// Generated is when the snapshot was made, as the service writes it.
	Generated string
}

// exportLinkHours is how many hours the links are asked to work: the most that every export accepts is six.
const exportLinkHours = 6

// ExportFiles asks for the links to the files of an export. The links carry their own authorization: they are secrets.
func (c *Client) ExportFiles(ctx context.Context, operation Operation) (ExportFiles, error) {
	query := Query{}
	if !slices.Contains([]string{ExportBrowserExtensionsFiles.Path, ExportHardwareFiles.Path}, operation.Path) {
		query.Options = []Option{{"sasValidHours", strconv.Itoa(exportLinkHours)}}
	}
	whole, err := c.send(ctx, request{operation: operation, query: query})
	if err != nil {
		return ExportFiles{}, err
	}
	files := ExportFiles{Generated: whole.Text("generatedTime")}
	links := whole.Key("exportFiles")
	if !links.IsArray() {
		return ExportFiles{}, lacks(operation, "no list of files", whole)
	}
	for _, link := range links.Array() {
		files.Links = append(files.Links, strings.ReplaceAll(link.String(), " ", "%20"))
	}
	return files, nil
}

// StreamFile reads a file of an export line by line, without holding it in memory. It calls begin before the first line,
// and again if the file must be read again from its start; a line has its line break, which the last one may lack, and is
// valid during a call of visit only. A byte order mark at its start is left there. What the store sends, compressed with gzip, is written to compressed as well unless that is nil. A link that
// has expired returns a *DownloadError whose Expired reports true.
func (c *Client) StreamFile(ctx context.Context, link string, begin func() error, visit func(line []byte) error, compressed io.Writer) error {
	target, err := fileBehind(link)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := c.streamFile(ctx, target, begin, visit, compressed)
		var broken *brokenBodyError
		if !errors.As(err, &broken) {
			return err
		}
		if attempt == attempts || ctx.Err() != nil || !c.patience.alone(ctx, firstPause<<(attempt-1)) {
			return &DownloadError{Err: broken.err}
		}
	}
}

func (c *Client) streamFile(ctx context.Context, target *url.URL, begin func() error, visit func(line []byte) error, compressed io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slow := time.AfterFunc(c.limits.Attempt, func() { cancel(errTooSlow) })
	defer slow.Stop()
	response, err := c.fetch(ctx, target)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := begin(); err != nil {
		return err
	}
	marked := &markedReader{body: &pacedBody{body: response.Body, progress: func() { slow.Reset(c.limits.Attempt) }}}
	source := io.Reader(marked)
	if compressed != nil {
		source = io.TeeReader(marked, compressed)
	}
	err = scanLines(source, visit)
	switch {
	case ctx.Err() != nil: // a store that learns that nobody is waiting may end the file early
		return &brokenBodyError{context.Cause(ctx)}
	case marked.err != nil:
		return &brokenBodyError{cause(ctx, marked.err)}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum):
		return &brokenBodyError{err}
	}
	if bad, ok := errors.AsType[*badAnswerError](err); ok {
		return &DownloadError{Err: bad}
	}
	return err
}

// Exported reports the progress of an export: how many records have arrived in all, and which of how many parts is being
// read. The number of parts is 0 if it is unknown.
func (c *Client) Exported(operation Operation, records int64, part, parts int) {
	if progress := c.options.Progress; progress != nil {
		progress.Exported(operation.Purpose, records, part, parts)
	}
}

// longestRecord is the longest record of an export that is read, in bytes. Microsoft speaks of about 1 KB.
const longestRecord = 8 << 20

// exportBuffer is how much of an export is read at once, in bytes.
const exportBuffer = 128 << 10

// scanLines reads the lines of a file that is compressed with gzip.
func scanLines(body io.Reader, visit func(line []byte) error) error { //nolint:gocognit // one loop over the buffer, which is what makes it fast
	packed := bufio.NewReaderSize(body, exportBuffer)
	if _, err := packed.Peek(1); errors.Is(err, io.EOF) {
		return nil // an empty file has no record
	}
	plain, err := gzip.NewReader(packed)
	if err != nil {
		if errors.Is(err, gzip.ErrHeader) {
			return &badAnswerError{"the file is not compressed with gzip"}
		}
		return err
	}
	reader := bufio.NewReaderSize(plain, exportBuffer)
	var long []byte
	for {
		part, err := reader.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrHeader) {
				return &badAnswerError{"the file is damaged"}
			}
			return err
		}
		line := part
		if len(long) > 0 || errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, part...); len(long) > longestRecord {
				return &badAnswerError{fmt.Sprintf("a record is longer than %d MB", longestRecord>>20)}
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			line = long
		}
		if trimmed := bytes.TrimPrefix(bytes.TrimSpace(line), []byte(rawjson.ByteOrderMark)); len(trimmed) > 0 {
			if trimmed[0] != '{' || trimmed[len(trimmed)-1] != '}' {
				return &badAnswerError{"a line of the file is not a JSON object"}
			}
			if err := visit(line); err != nil {
				return err
			}
		}
		long = long[:0]
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// scanPage reads an answer of the form {"value":[{...},...],"@odata.nextLink":"..."} and calls visit for each object of
// the list, in order.
func scanPage(body io.Reader, visit func(record []byte) error, next *string) error {
	s := &scanner{from: body, buffer: make([]byte, exportBuffer)}
	first, err := s.token()
	if err != nil || first != '{' {
		return s.unexpected(err)
	}
	for more := false; ; more = true {
		mark, err := s.token()
		switch {
		case err != nil:
			return s.unexpected(err)
		case mark == '}' && !more:
			return s.whole()
		case mark == '"':
			s.back()
		default:
			return errNoJSON
		}
		name, err := s.value()
		if err != nil {
			return s.unexpected(err)
		}
		key := gjson.ParseBytes(name).Str
		if mark, err = s.token(); err != nil || mark != ':' {
			return s.unexpected(err)
		}
		if err := s.member(key, visit, next); err != nil {
			return err
		}
		if mark, err = s.token(); err != nil {
			return s.unexpected(err)
		}
		if mark == '}' {
			return s.whole()
		}
		if mark != ',' {
			return errNoJSON
		}
	}
}

// whole checks that nothing follows the answer, and that it had the list.
func (s *scanner) whole() error {
	if err := s.end(); err != nil || s.listed {
		return err
	}
	return &badAnswerError{"without the list that it must have"}
}

var errNoJSON = &badAnswerError{"not valid JSON"}

// member reads the value of a key of the answer.
func (s *scanner) member(key string, visit func([]byte) error, next *string) error {
	mark, err := s.token()
	if err != nil {
		return s.unexpected(err)
	}
	if key != "value" || mark != '[' {
		s.back()
		value, err := s.checked()
		if err == nil && key == "@odata.nextLink" {
			*next = gjson.ParseBytes(value).String()
		}
		return err
	}
	s.listed = true
	for more := false; ; more = true {
		mark, err := s.token()
		if err != nil {
			return s.unexpected(err)
		}
		if mark == ']' && !more {
			return nil
		}
		s.back()
		record, err := s.checked()
		if err != nil {
			return err
		}
		if record[0] == '{' { // what is not an object says nothing of a machine
			if err := visit(record); err != nil {
				return err
			}
		}
		if mark, err = s.token(); err != nil {
			return s.unexpected(err)
		}
		if mark == ']' {
			return nil
		}
		if mark != ',' {
			return errNoJSON
		}
	}
}

// scanner takes JSON apart that does not fit into memory.
type scanner struct {
	listed bool // whether the list of the answer has begun
	from   io.Reader
	buffer []byte
	// at and got bound the part of buffer that was read and not yet taken.
	at, got int
	// failed is why no more can be read.
	failed error
}

// unexpected is the error for an answer that ends where more should come.
func (s *scanner) unexpected(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errNoJSON
}

// end checks that nothing follows the answer.
func (s *scanner) end() error {
	if _, err := s.token(); !errors.Is(err, io.EOF) {
		return s.unexpected(err)
	}
	return nil
}

// fill reads more behind what is there. keep is where the part begins that must stay.
func (s *scanner) fill(keep int) (moved int, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	if keep > 0 {
		copy(s.buffer, s.buffer[keep:s.got])
		s.got -= keep
	}
	if s.got == len(s.buffer) {
		if len(s.buffer) >= longestRecord {
			return keep, &badAnswerError{fmt.Sprintf("JSON with a record longer than %d MB", longestRecord>>20)}
		}
		s.buffer = append(s.buffer, make([]byte, len(s.buffer))...)
	}
	n, err := s.from.Read(s.buffer[s.got:])
	s.got += n
	if n > 0 {
		s.failed = err // for the time when this part was taken
		return keep, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	s.failed = err
	return keep, err
}

// token takes the next character that is not white space.
func (s *scanner) token() (byte, error) {
	for {
		for s.at < s.got {
			mark := s.buffer[s.at]
			s.at++
			switch mark {
			case ' ', '\t', '\r', '\n':
			case 0xef, 0xbb, 0xbf: // a byte order mark, which some gateways add
			default:
				return mark, nil
			}
		}
		if _, err := s.fill(s.at); err != nil {
			return 0, err
		}
		s.at = 0
	}
}

// back puts the character that was taken last back.
func (s *scanner) back() { s.at-- }

// checked takes a whole value that is valid JSON and not nested without end.
func (s *scanner) checked() ([]byte, error) {
	value, err := s.value()
	if err != nil {
		return nil, s.unexpected(err)
	}
	if !gjson.ValidBytes(value) {
		return nil, errNoJSON
	}
	return value, nil
}

// deepestRecord is how deep a value may be nested.
const deepestRecord = 1000

// value takes a value as far as it is told apart by its brackets and quotes. It is valid until the next call.
func (s *scanner) value() ([]byte, error) { //nolint:gocognit // one loop over the buffer, which is what makes it fast
	start, at := s.at, s.at
	depth, inText, escaped := 0, false, false
	for {
		for ; at < s.got; at++ {
			mark := s.buffer[at]
			if inText {
				switch {
				case escaped:
					escaped = false
				case mark == '\\':
					escaped = true
				case mark == '"':
					inText = false
					if depth == 0 {
						s.at = at + 1
						return s.buffer[start:s.at], nil
					}
				}
				continue
			}
			switch mark {
			case '"':
				inText = true
			case '{', '[':
				if depth++; depth > deepestRecord {
					return nil, &badAnswerError{fmt.Sprintf("JSON that is nested deeper than %d levels", deepestRecord)}
				}
			case '}', ']':
				if depth == 0 { // the end of what holds a number or a literal
					s.at = at
					return s.buffer[start:at], nil
				}
				if depth--; depth == 0 {
					s.at = at + 1
					return s.buffer[start:s.at], nil
				}
			case ',', ' ', '\t', '\r', '\n':
				if depth == 0 {
					s.at = at
					return s.buffer[start:at], nil
				}
			}
		}
		moved, err := s.fill(start)
		if err != nil {
			return nil, err
		}
		start, at = start-moved, at-moved
	}
}

// Record is one record of an export, in the text of which single fields are found without taking all of it apart.
type Record []byte

// Text returns the text, number or boolean of the first of the keys that the record has, or "".
func (r Record) Text(keys ...string) string {
	for _, key := range keys {
		if text, found := r.quick(key); found {
			return text
		}
	}
	if bytes.Contains(r, []byte(`" :`)) || bytes.Contains(r, []byte(`": `)) || bytes.Contains(r, []byte("\\")) {
		return rawjson.Value(r).Text(keys...)
	}
	return ""
}

// quick finds the text of a key where the record is written without spaces and the text has no escapes. In JSON a quote
// within a text is escaped, so that what looks like a key is one.
func (r Record) quick(key string) (string, bool) {
	const around = `"":"`
	var pattern [96]byte
	if len(key)+len(around) > len(pattern) {
		return "", false
	}
	wanted := append(append(append(pattern[:0], '"'), key...), `":"`...)
	_, text, found := bytes.Cut(r, wanted)
	if !found {
		return "", false
	}
	end := bytes.IndexByte(text, '"')
	if end < 0 || bytes.IndexByte(text[:end], '\\') >= 0 {
		return "", false
	}
	return string(text[:end]), true
}
