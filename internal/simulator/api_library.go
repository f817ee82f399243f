package simulator

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxLibraryFile is the largest file that the API takes into the live response library, in bytes.
const maxLibraryFile = 20 << 20

func (c *company) listLibraryFiles(call *call) (reply, *apiError) {
	return list(c, call, c.library, collection{name: "LibraryFiles"})
}

// libraryFileNamed is nil for a file that is not in the library.
func (c *company) libraryFileNamed(name string) *libraryFile {
	i := slices.IndexFunc(c.library, func(f *libraryFile) bool { return strings.EqualFold(f.FileName, name) })
	if i < 0 {
		return nil
	}
	return c.library[i]
}

// uploadLibraryFile takes a file with what it is for, as a form of several parts.
func (c *company) uploadLibraryFile(call *call) (reply, *apiError) {
	name, data, form, failure := readUpload(call)
	if failure != nil {
		return reply{}, failure
	}
	override, failure := form.flag("OverrideIfExists")
	if failure != nil {
		return reply{}, failure
	}
	parameters, failure := form.flag("HasParameters")
	if failure != nil {
		return reply{}, failure
	}
	f := c.libraryFileNamed(name)
	switch {
	case f != nil && !override:
		return reply{}, badRequest("The library has a file %s already.", name)
	case f == nil:
		f = &libraryFile{FileName: name, CreationTime: at(call.now)}
		c.library = append(c.library, f)
	}
	f.SHA256, f.Description = digest(sha256.New(), string(data)), optional(form["Description"])
	f.LastUpdatedTime, f.CreatedBy = at(call.now), call.app.requestor()
	f.ParametersDescription = form["ParametersDescription"]
	f.HasParameters = parameters || f.ParametersDescription != ""
	return reply{http.StatusOK, c.single("LibraryFiles", f)}, nil
}

// uploadForm are the parts of an upload other than the file.
type uploadForm map[string]string

func (f uploadForm) flag(name string) (bool, *apiError) {
	if f[name] == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(f[name])
	if err != nil {
		return false, invalid("The value %q of %s is neither true nor false.", f[name], name)
	}
	return value, nil
}

func readUpload(call *call) (name string, data []byte, form uploadForm, failure *apiError) {
	kind, parameters, err := mime.ParseMediaType(call.header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return "", nil, nil, invalidBody("The request's body is not multipart/form-data.")
	}
	form = uploadForm{}
	reader := multipart.NewReader(bytes.NewReader(call.body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, nil, invalidBody("The request's body could not be read.")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return "", nil, nil, invalidBody("The request's body could not be read.")
		}
		if part.FormName() == "File" {
			name, data = part.FileName(), content
			continue
		}
		form[part.FormName()] = string(content)
	}
	if name == "" {
		return "", nil, nil, missing("File")
	}
	if len(data) > maxLibraryFile {
		return "", nil, nil, invalid("The file is larger than 20 MB.")
	}
	return name, data, form, nil
}

func (c *company) deleteLibraryFile(call *call) (reply, *apiError) {
	name := call.arguments["name"]
	if c.libraryFileNamed(name) == nil {
		return reply{}, notFound("Library file", name)
	}
	c.library = where(c.library, func(f *libraryFile) bool { return !strings.EqualFold(f.FileName, name) })
	return reply{status: http.StatusNoContent}, nil
}
