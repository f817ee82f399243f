package defender

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestPagesOfExports reads answers as they come: in one piece, byte by byte, and with the end of the body in its last part.
func TestPagesOfExports(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 2*exportBuffer) + `"}`
	for _, test := range []struct {
		name, text string
		records    []string
		next       string
		problem    string // part of the error, or "" for none
	}{
		{"two records and a link", `{"value":[{"a":1},{"b":"}]\"\\"}],"@odata.nextLink":"https://x.example/?a=1\u0026b=2"}`, []string{`{"a":1}`, `{"b":"}]\"\\"}`}, "https://x.example/?a=1&b=2", ""},
		{"a link first", `{"@odata.nextLink":"n","value":[{}]}`, []string{`{}`}, "n", ""},
		{"other keys", `{"@odata.context":"c","count":7,"more":{"value":[{"a":1}]},"value":[],"none":null}`, nil, "", ""},
		{"a mark of its byte order, and spaces", "\ufeff { \"value\" :\n[ {\"a\": [1, {}] } ,\t{} ]\r\n} ", []string{`{"a": [1, {}] }`, `{}`}, "", ""},
		{"a list with other things than records", `{"value":[1,"x",null,true,{"a":1},[{"b":2}]]}`, []string{`{"a":1}`}, "", ""},
		{"a record longer than the buffer", `{"value":[{"a":1},` + long + `,{"b":2}]}`, []string{`{"a":1}`, long, `{"b":2}`}, "", ""},
		{"as deep as may be", `{"value":[{"a":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}]}`, []string{`{"a":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`}, "", ""},
		{"too deep", `{"value":[{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}]}`, nil, "", "nested deeper than 1000 levels"},
		{"no list", `{"count":1}`, nil, "", "without the list"},
		{"nothing in it", `{}`, nil, "", "without the list"},
		{"a list that is an object", `{"value":{"a":1}}`, nil, "", "without the list"},
		{"more behind it", `{"value":[]} {}`, nil, "", "not valid JSON"},
		{"a comma too many", `{"value":[{"a":1},]}`, []string{`{"a":1}`}, "", "not valid JSON"},
		{"a comma too many behind the list", `{"value":[],}`, nil, "", "not valid JSON"},
		{"a comma too few", `{"value":[{"a":1}{"b":2}]}`, []string{`{"a":1}`}, "", "not valid JSON"},
		{"a comma too few behind the list", `{"value":[]"a":1}`, nil, "", "not valid JSON"},
		{"no colon", `{"value" []}`, nil, "", "not valid JSON"},
		{"a key without quotes", `{value:[]}`, nil, "", "not valid JSON"},
		{"a wrong number", `{"value":[{"a":01}]}`, nil, "", "not valid JSON"},
		{"a wrong number elsewhere", `{"a":01,"value":[]}`, nil, "", "not valid JSON"},
		{"a list alone", `[{"a":1}]`, nil, "", "not valid JSON"},
		{"nothing", ``, nil, "", "not valid JSON"},
		{"a page", `<html>`, nil, "", "not valid JSON"},
	} {
		for way, reader := range map[string]func(io.Reader) io.Reader{
			"in one piece": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader, "with its end": iotest.DataErrReader,
		} {
			var records []string
			next := ""
			err := scanPage(reader(strings.NewReader(test.text)), func(record []byte) error {
				records = append(records, string(record))
				return nil
			}, &next)
			if !slices.Equal(records, test.records) || next != test.next || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s, %s: got %.200q, the link %q and the error %v, want %.200q, %q and %q", test.name, way, records, next, err, test.records, test.next, test.problem)
			}
		}
	}
}

// TestPagesOfExportsThatBreakOff cuts an answer after each of its bytes: none passes for a whole one. The reason of a break
// is passed on.
func TestPagesOfExportsThatBreakOff(t *testing.T) {
	const whole = `{"@odata.context":"c\"", "value":[{"a":[1,"]"]}, 2, {}],"@odata.nextLink":"n","count":12}`
	broken := errors.New("the connection broke")
	ignore := func([]byte) error { return nil }
	next := ""
	for cut := range len(whole) {
		if err := scanPage(strings.NewReader(whole[:cut]), ignore, &next); err == nil {
			t.Errorf("%s: got no error", whole[:cut])
		}
		if err := scanPage(io.MultiReader(strings.NewReader(whole[:cut]), iotest.ErrReader(broken)), ignore, &next); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the reason of the break", whole[:cut], err)
		}
	}
	if err := scanPage(strings.NewReader(whole), ignore, &next); err != nil {
		t.Errorf("got %v, want the whole answer to be read", err)
	}
	if err := scanPage(strings.NewReader(whole), func([]byte) error { return broken }, &next); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the caller", err)
	}
}

func TestARecordBeyondTheLimitIsRefused(t *testing.T) {
	record := `{"a":"` + strings.Repeat("x", longestRecord) + `"}`
	next := ""
	err := scanPage(strings.NewReader(`{"value":[`+record+`]}`), func([]byte) error { return nil }, &next)
	if err == nil || !strings.Contains(err.Error(), "longer than 8 MB") {
		t.Errorf("got %v, want that a record is too long", err)
	}
	err = scanLines(bytes.NewReader(packed(t, record)), func([]byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "longer than 8 MB") {
		t.Errorf("got %v, want that a record is too long", err)
	}
}

// packed compresses a text as the files of exports are.
func packed(t *testing.T, text string) []byte {
	t.Helper()
	var file bytes.Buffer
	writer := gzip.NewWriter(&file)
	_, err := io.WriteString(writer, text)
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestFilesOfExports(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 2*exportBuffer) + `"}` + "\n"
	whole := packed(t, `{"a":1}`+"\n")
	damaged := slices.Clone(packed(t, strings.Repeat(`{"a":1}`+"\n", 100)))
	for i := 12; i < 20; i++ {
		damaged[i] = 0xff
	}
	for _, test := range []struct {
		name    string
		file    []byte
		lines   []string
		problem string
	}{
		{"two records", packed(t, "{\"a\":1}\n{\"b\":2}\n"), []string{"{\"a\":1}\n", "{\"b\":2}\n"}, ""},
		{"no break at the end", packed(t, "{\"a\":1}\n{\"b\":2}"), []string{"{\"a\":1}\n", "{\"b\":2}"}, ""},
		{"blank lines", packed(t, "\n{\"a\":1}\r\n \n\n"), []string{"{\"a\":1}\r\n"}, ""},
		{"a record longer than the buffer", packed(t, "{\"a\":1}\n"+long+"{\"b\":2}\n"), []string{"{\"a\":1}\n", long, "{\"b\":2}\n"}, ""},
		{"a record longer than the buffer at the end", packed(t, strings.TrimSpace(long)), []string{strings.TrimSpace(long)}, ""},
		{"a byte order mark", packed(t, "\xef\xbb\xbf{\"a\":1}\n"), []string{"\xef\xbb\xbf{\"a\":1}\n"}, ""},
		{"a byte order mark alone", packed(t, "\xef\xbb\xbf"), nil, ""},
		{"what is not compressed behind what is", append(packed(t, ""), "otherwise, and more"...), nil, "the file is damaged"},
		{"nothing", nil, nil, ""},
		{"nothing, compressed", packed(t, ""), nil, ""},
		{"a list", packed(t, "[1]\n"), nil, "not a JSON object"},
		{"half of a record", packed(t, "{\"a\":\n"), nil, "not a JSON object"},
		{"no compression", []byte(strings.Repeat("{\"a\":1}\n", 10)), nil, "not compressed with gzip"},
		{"damage", damaged, nil, "the file is damaged"},
		{"a break", whole[:len(whole)-9], nil, io.ErrUnexpectedEOF.Error()},
	} {
		for way, reader := range map[string]io.Reader{"in one piece": bytes.NewReader(test.file), "byte by byte": iotest.OneByteReader(bytes.NewReader(test.file))} {
			var lines []string
			err := scanLines(reader, func(line []byte) error {
				lines = append(lines, string(line))
				return nil
			})
			if wrong := !slices.Equal(lines, test.lines) && test.name != "a break"; wrong || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s, %s: got %.100q and %v, want %.100q and %q", test.name, way, lines, err, test.lines, test.problem)
			}
		}
	}
}

func TestTextsOfRecords(t *testing.T) {
	longest := strings.Repeat("k", 91)
	for _, test := range []struct {
		record, keys, want string
	}{
		{`{"a":"x","b":"y"}`, "b", "y"},
		{`{"a":"x","b":"y"}`, "c b", "y"},
		{`{"a": "x"}`, "a", "x"},
		{`{"a" :"x"}`, "a", "x"},
		{`{"a":"x\"y"}`, "a", `x"y`},
		{`{"b":"\"a\":\"no\"","a": "x"}`, "a", "x"},
		{`{"a": 7}`, "a", "7"},
		{`{"a":"x"}`, "b", ""},
		{`{"a":"x}`, "a", ""},
		{`{"a":"","b":"y"}`, "a b", ""},
		{`{"` + longest + `":"x"}`, longest, "x"},
	} {
		if got := Record(test.record).Text(strings.Fields(test.keys)...); got != test.want {
			t.Errorf("%s of %s: got %q, want %q", test.keys, test.record, got, test.want)
		}
	}
}

// TestTextsOfTheServiceAreClipped looks at the form of what is quoted in a sentence.
func TestTextsOfTheServiceAreClipped(t *testing.T) {
	for text, want := range map[string]string{
		"\na\n\tb  c\n":                "a b c",
		strings.Repeat("a", 600):       strings.Repeat("a", 600),
		strings.Repeat("a", 601):       strings.Repeat("a", 600) + "…",
		strings.Repeat("a", 599) + "é": strings.Repeat("a", 599) + "…",
		"a" + strings.Repeat("é", 300): "a" + strings.Repeat("é", 299) + "…",
	} {
		if got := clip(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestUpdatesOfIncidents(t *testing.T) {
	nobody := ""
	for want, update := range map[string]IncidentUpdate{
		`{}`:                            {},
		`{"status":"inProgress"}`:       {Status: "inProgress"},
		`{"classification":"unknown"}`:  {Classification: "unknown"},
		`{"determination":"malware"}`:   {Determination: "malware"},
		`{"assignedTo":null}`:           {AssignedTo: &nobody},
		`{"customTags":[]}`:             {CustomTags: []string{}},
		`{"customTags":["a"]}`:          {CustomTags: []string{"a"}},
		`{"resolvingComment":"closed"}`: {ResolvingComment: "closed"},
	} {
		got, err := json.Marshal(update.body())
		if err != nil || string(got) != want || update.Empty() != (want == `{}`) {
			t.Errorf("got %s (%v) of an update that says %t whether it is empty, want %s", got, err, update.Empty(), want)
		}
	}
}

// TestFormsOfLibraryFiles reads the form of an upload as its recipient does, twice: a request that is repeated sends it again.
func TestFormsOfLibraryFiles(t *testing.T) {
	for _, test := range []struct {
		name string
		file LibraryFile
		want map[string]string
	}{
		{"the file alone", LibraryFile{}, map[string]string{"HasParameters": "false", "OverrideIfExists": "false"}},
		{
			"all there is",
			LibraryFile{Description: "d", ParametersDescription: "p", Override: true},
			map[string]string{"Description": "d", "ParametersDescription": "p", "HasParameters": "true", "OverrideIfExists": "true"},
		},
	} {
		test.file.Name, test.file.Content, test.file.Size = `tri"age.ps1`, strings.NewReader("Get-Process, and no more"), int64(len("Get-Process"))
		form, err := newForm(test.file)
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		form.attach(request)
		for range 2 {
			text, err := io.ReadAll(request.Body)
			if err != nil || int64(len(text)) != request.ContentLength {
				t.Fatalf("%s: got %d bytes (%v), want %d as the header says", test.name, len(text), err, request.ContentLength)
			}
			request.Body = io.NopCloser(bytes.NewReader(text))
			request.MultipartForm = nil
			if err := request.ParseMultipartForm(1 << 20); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, values := range request.MultipartForm.Value {
				got[name] = strings.Join(values, "|")
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("%s: got the fields %v, want %v", test.name, got, test.want)
			}
			file := request.MultipartForm.File["File"]
			if len(file) != 1 || file[0].Filename != test.file.Name || file[0].Size != test.file.Size {
				t.Errorf("%s: got %+v, want the file", test.name, file)
			}
			if request.Body, err = request.GetBody(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
