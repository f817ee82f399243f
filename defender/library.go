package defender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// The operations on the files of the live response library.
var (
	ListLibraryFiles  = Operation{Purpose: "list the files of the live response library", Method: http.MethodGet, Path: "/api/libraryfiles", Docs: "/defender-endpoint/api/list-library-files", Application: mayManageLibrary, Delegated: mayManageLibrary, Rate: usualRate}
	UploadLibraryFile = Operation{Purpose: "upload the file to the live response library", Method: http.MethodPost, Path: "/api/libraryfiles", Docs: "/defender-endpoint/api/upload-library", Application: mayManageLibrary, Delegated: mayManageLibrary, Rate: usualRate}
	DeleteLibraryFile = Operation{Purpose: "delete the file of the live response library", Method: http.MethodDelete, Path: "/api/libraryfiles/{}", Docs: "/defender-endpoint/api/delete-library", Application: mayManageLibrary, Delegated: mayManageLibrary, Rate: usualRate}
)

var mayManageLibrary = []string{"Library.Manage"}

// LargestLibraryFile is the documented size in bytes up to which the API accepts a file; the portal accepts more
// (https://learn.microsoft.com/defender-endpoint/api/upload-library).
const LargestLibraryFile = 20 << 20

// LibraryFiles lists the whole library. The service does not filter it, and documents no pages.
func (c *Client) LibraryFiles(ctx context.Context) (List, error) {
	return c.list(ctx, ListLibraryFiles, Query{})
}

// LibraryFile is a file to upload.
type LibraryFile struct {
	Name                               string
	Content                            io.ReaderAt
	Size                               int64
	Description, ParametersDescription string
	// Override replaces a file of the same name; without it the service refuses one
	// (https://learn.microsoft.com/defender-endpoint/api/upload-library).
	Override bool
}

// UploadLibraryFile sends a file to the library, from where it is and without holding it in memory. It returns an
// *ArgumentError for a file without a name.
func (c *Client) UploadLibraryFile(ctx context.Context, file LibraryFile) (List, error) {
	if strings.Trim(file.Name, ".") == "" {
		return List{}, &ArgumentError{Operation: UploadLibraryFile, Value: file.Name}
	}
	form, err := newForm(file)
	if err != nil {
		return List{}, fmt.Errorf("building the request to %s: %w", UploadLibraryFile.Purpose, err)
	}
	whole, err := c.send(ctx, request{operation: UploadLibraryFile, form: form})
	return List{Whole: whole}, err
}

// DeleteLibraryFile deletes a file of the library by its name.
func (c *Client) DeleteLibraryFile(ctx context.Context, name string) error {
	_, err := c.get(ctx, DeleteLibraryFile, name)
	return err
}

// form is a body of the kind multipart/form-data with one file, whose bytes are read from where they are each time that
// the body is sent.
type form struct {
	kind        string
	head, tail  string
	content     io.ReaderAt
	contentSize int64
}

func newForm(file LibraryFile) (*form, error) {
	var text strings.Builder
	writer := multipart.NewWriter(&text)
	fields := []struct{ name, value string }{
		{"Description", file.Description},
		{"ParametersDescription", file.ParametersDescription},
		{"HasParameters", strconv.FormatBool(file.ParametersDescription != "")},
		{"OverrideIfExists", strconv.FormatBool(file.Override)},
	}
	var failed error
	for _, field := range fields {
		if field.value != "" {
			failed = errors.Join(failed, writer.WriteField(field.name, field.value))
		}
	}
	_, err := writer.CreateFormFile("File", file.Name)
	head := text.Len()
	if err := errors.Join(failed, err, writer.Close()); err != nil {
		return nil, err
	}
	return &form{
		kind: writer.FormDataContentType(), head: text.String()[:head], tail: text.String()[head:],
		content: file.Content, contentSize: file.Size,
	}, nil
}

// attach sets the body of a request to the form, from its beginning.
func (f *form) attach(request *http.Request) {
	body := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(f.head), io.NewSectionReader(f.content, 0, f.contentSize), strings.NewReader(f.tail))), nil
	}
	request.Body, _ = body() // which has no error
	request.GetBody = body
	request.ContentLength = int64(len(f.head)) + f.contentSize + int64(len(f.tail))
	request.Header.Set("Content-Type", f.kind)
}
