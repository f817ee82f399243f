package simulator

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// linkLifetime is how long a download link of live response works (https://learn.microsoft.com/defender-endpoint/api/get-live-response-result).
const linkLifetime = 30 * time.Minute

// content is something to download.
type content struct {
	name string
	data []byte
}

// blob is content with links to it, the last of which expires at until.
type blob struct {
	*content

	until time.Time
}

// link returns a signed link to the content, outside the API as links to blob storage are, that works for linkLifetime.
func (c *company) link(folder string, what *content, now time.Time) string {
	return c.linkFor(folder, what, now, linkLifetime)
}

// linkFor is link for another time.
func (c *company) linkFor(folder string, what *content, now time.Time, lifetime time.Duration) string {
	location, until := "/download/"+folder+"/"+url.PathEscape(what.name), now.Add(lifetime)
	maps.DeleteFunc(c.blobs, func(_ string, kept blob) bool { return now.After(kept.until) })
	c.blobs[location] = blob{what, latest(until, c.blobs[location].until)}
	expiry := until.UTC().Format(time.RFC3339)
	query := url.Values{
		"se": {expiry}, "sp": {"r"}, "sr": {"b"}, "sv": {"2024-11-04"},
		"sig": {c.signature(location, expiry)},
	}
	return c.base + location + "?" + query.Encode()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *company) signature(location, expiry string) string {
	mac := hmac.New(sha256.New, fmt.Appendf(nil, "download key %d", c.seed))
	// A hash never fails to take what is written to it.
	_, _ = mac.Write([]byte(location + "\n" + expiry))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// linkAnswer is an answer of the API that is a link.
func (c *company) linkAnswer(value string) any {
	return record{{"@odata.context", c.context("Edm.String")}, {"value", value}}
}

// serveDownload returns what a link leads to. Its errors are those of blob storage, in XML.
func (c *company) serveDownload(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	location, expiry := r.URL.EscapedPath(), query.Get("se")
	c.mu.Lock()
	what, found := c.blobs[location]
	now := c.now()
	c.mu.Unlock()
	until, err := time.Parse(time.RFC3339, expiry)
	switch {
	case err != nil || !hmac.Equal([]byte(query.Get("sig")), []byte(c.signature(location, expiry))):
		writeStorageError(w, http.StatusForbidden, "AuthenticationFailed", "The signature does not fit the link.")
	case now.After(until):
		writeStorageError(w, http.StatusForbidden, "AuthenticationFailed", "The link has expired.")
	case !found:
		writeStorageError(w, http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", what.name))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(what.data))
	}
}

func writeStorageError(w http.ResponseWriter, status int, code, message string) {
	type storageError struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	body, err := xml.Marshal(storageError{Code: code, Message: message})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(append([]byte(xml.Header), body...))
}

// scriptResult returns the result of running a script.
func scriptResult(name, arguments string) *content {
	output := record{{"script_name", name}, {"exit_code", 0}, {"script_output", ""}, {"script_errors", ""}}
	for _, s := range scripts {
		if s.name == name {
			output = record{{"script_name", name}, {"exit_code", s.exitCode}, {"script_output", s.output}, {"script_errors", s.errors}}
		}
	}
	if arguments != "" {
		output[2].value = fmt.Sprintf("Arguments: %s\n%s", arguments, output[2].value)
	}
	return &content{"script-output.json", must(json.Marshal(output))}
}

// fileOnMachine is a file of a machine, compressed with gzip as live response returns it.
func (c *company) fileOnMachine(m *machine, name string) *content {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = strings.Map(latin1, base)
	must(fmt.Fprintf(w, "%s of %s\n%s\n", name, m.ComputerDNSName, digest(sha256.New(), m.ID+name)))
	must(0, w.Close())
	return &content{base + ".gz", b.Bytes()}
}

// latin1 drops what the header of a gzip file cannot name.
func latin1(r rune) rune {
	if r == 0 || r > 0xff {
		return -1
	}
	return r
}

// investigationPackage returns the data that a machine collects about itself.
func (c *company) investigationPackage(a *machineAction) *content {
	m, failure := c.machineNamed(a.MachineID)
	if failure != nil {
		return &content{name: "empty.zip"}
	}
	var files, connections, users strings.Builder
	for _, s := range c.sightings {
		if s.machine == m {
			fmt.Fprintf(&files, "%s\t%s\t%s\n", s.file.SHA1, s.file.folder, s.file.name)
		}
	}
	for _, n := range c.connections {
		if n.machine == m {
			fmt.Fprintf(&connections, "%s\t%s\t%s:%d\t%s\n", n.time.Format(time.RFC3339), n.process, n.ip, n.port, n.host)
		}
	}
	for _, l := range c.logons {
		if l.machine == m {
			fmt.Fprintf(&users, "%s\t%s\t%s\n", l.user.ID, l.kinds, l.last.Format(time.RFC3339))
		}
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, part := range []struct{ name, text string }{
		{"ForensicsCollectionSummary.txt", fmt.Sprintf("%s\n%s %s\naction %s\n", m.ComputerDNSName, m.OSPlatform, m.Version, a.ID)},
		{"Files/files.tsv", files.String()},
		{"Network/connections.tsv", connections.String()},
		{"Users/logons.tsv", users.String()},
	} {
		f := must(w.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Deflate, Modified: a.LastUpdateDateTimeUTC.Time}))
		must(f.Write([]byte(part.text)))
	}
	must(0, w.Close())
	return &content{"InvestigationPackage_" + a.ID + ".zip", b.Bytes()}
}

// must is for encoding into memory, which cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
