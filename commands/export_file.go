package commands

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/warroom"
)

// The formats of the file of an export.
const (
	formatJSONLinesPacked = "jsonl.gz"
	formatJSONLines       = "jsonl"
	formatCSVPacked       = "csv.gz"
	formatCSV             = "csv"
)

// exportFile is the file of an export while it is written. It grows by parts, each of which is sound by itself: a part
// whose source fails is discarded and written again, and another execution can continue after the last one. What is
// compressed has one member of gzip for each part, which every program that reads gzip joins.
type exportFile struct {
	file   warroom.OutputFile
	format string
	// columns are the keys that are kept; empty keeps records as they are. CSV takes those of its first record then.
	columns []string

	// named reports whether the columns were asked for; absent are those of them that no record has had. further are keys of
	// records that columns taken from the first record lack, in the order in which they were met.
	named           bool
	absent, further []string

	// hash is over all that was written, and counted is how many bytes that was.
	hash    resumableHash
	counted int64
	// keptHash, keptSize and keptColumns are as the last part left them.
	keptHash    []byte
	keptSize    int64
	keptColumns []string
	// headed reports whether the first line of a CSV file was written; keptHeaded is as the last part left it.
	headed, keptHeaded bool

	out    *bufio.Writer
	packer *gzip.Writer
	rows   *csv.Writer
	cells  []string
}

// resumableHash is a hash that can go back to an earlier state, as crypto/sha256 documents for its own.
type resumableHash interface {
	hash.Hash
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// newExportFile continues after what the file holds, of which sha256 has the given hash; empty for a new file.
func newExportFile(file warroom.OutputFile, format string, columns []string, headed bool, size int64, known string) (*exportFile, error) {
	sum, resumable := sha256.New().(resumableHash)
	if !resumable {
		return nil, errFileChanged // unlike what crypto/sha256 documents
	}
	f := &exportFile{file: file, format: format, columns: columns, headed: headed, hash: sum}
	if size > 0 {
		if _, err := io.Copy(f.hash, io.LimitReader(file, size)); err != nil {
			return nil, err
		}
		if hex.EncodeToString(f.hash.Sum(nil)) != known {
			return nil, errFileChanged
		}
		f.counted = size
	}
	return f, f.keep()
}

var errFileChanged = errors.New("the file is not as the execution before left it")

// keep remembers where the file is sound.
func (f *exportFile) keep() error {
	state, err := f.hash.MarshalBinary()
	f.keptHash, f.keptSize, f.keptColumns, f.keptHeaded = state, f.counted, f.columns, f.headed
	return err
}

// begin begins a part, after whatever was written since the last one is discarded.
func (f *exportFile) begin() error {
	f.counted, f.columns, f.headed = f.keptSize, f.keptColumns, f.keptHeaded
	if err := f.hash.UnmarshalBinary(f.keptHash); err != nil {
		return err
	}
	if err := f.file.Truncate(f.keptSize); err != nil {
		return err
	}
	if _, err := f.file.Seek(f.keptSize, io.SeekStart); err != nil {
		return err
	}
	const buffer = 64 << 10
	if f.out == nil {
		f.out = bufio.NewWriterSize(plainWriter{f}, buffer)
	}
	f.out.Reset(plainWriter{f})
	f.rows = nil
	if f.packed() {
		if f.packer == nil {
			// The service's own files are compressed with the fastest setting or one like it: what is gained beyond that
			// is a tenth of the size for twice the time.
			f.packer, _ = gzip.NewWriterLevel(f.out, gzip.BestSpeed) // the level exists
		}
		f.packer.Reset(f.out)
	}
	return nil
}

func (f *exportFile) packed() bool {
	return f.format == formatJSONLinesPacked || f.format == formatCSVPacked
}

// copies reports whether the compressed files of the service can be taken over as they are.
func (f *exportFile) copies() bool { return f.format == formatJSONLinesPacked && len(f.columns) == 0 }

// plainWriter writes to the file of an export.
type plainWriter struct{ *exportFile }

func (w plainWriter) Write(part []byte) (int, error) {
	n, err := w.file.Write(part)
	w.hash.Write(part[:n]) // which never fails
	w.counted += int64(n)
	return n, err
}

// to is where the lines of the part go.
func (f *exportFile) to() io.Writer {
	if f.packed() {
		return f.packer
	}
	return f.out
}

// write adds a record to the part.
func (f *exportFile) write(record []byte) error {
	switch {
	case f.format == formatCSV || f.format == formatCSVPacked:
		return f.writeRow(record)
	case len(f.columns) > 0:
		record = f.onlyColumns(record)
	}
	to := f.to()
	if _, err := to.Write(record); err != nil {
		return err
	}
	_, err := to.Write([]byte{'\n'})
	return err
}

// onlyColumns is a record without all other keys.
func (f *exportFile) onlyColumns(record []byte) []byte {
	kept := []byte{'{'}
	values := columnValues(record, f.columns, nil)
	f.meet(values)
	for i, value := range values {
		if !value.Exists() {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(gjson.AppendJSONString(kept, f.columns[i]), ':'), value.Raw...)
	}
	return append(kept, '}')
}

// columnValues are the values of a record at the columns, whose names match whatever their case: the service writes deviceId and
// DeviceId. further, unless nil, gets each key that no column matches.
func columnValues(record []byte, columns []string, further func(key string)) []gjson.Result {
	found := make([]gjson.Result, len(columns))
	next := 0 // the keys of a record mostly come in the order of the columns
	gjson.ParseBytes(record).ForEach(func(key, value gjson.Result) bool {
		if next < len(columns) && columns[next] == key.Str && !found[next].Exists() {
			found[next] = value
			next++
			return true
		}
		known := false
		for i, column := range columns {
			if strings.EqualFold(key.Str, column) {
				known = true
				if !found[i].Exists() {
					found[i] = value
				}
			}
		}
		if !known && further != nil {
			further(key.Str)
		}
		return true
	})
	return found
}

// meet notes which columns a record has.
func (f *exportFile) meet(values []gjson.Result) {
	if len(f.absent) == 0 {
		return
	}
	f.absent = slices.DeleteFunc(f.absent, func(column string) bool { return values[slices.Index(f.columns, column)].Exists() })
}

// mostFurther bounds the memory of the keys that columns lack.
const mostFurther = 100

// lack remembers a key that the columns lack.
func (f *exportFile) lack(key string) {
	if len(f.further) < mostFurther && !slices.Contains(f.further, key) {
		f.further = append(f.further, key)
	}
}

func (f *exportFile) writeRow(record []byte) error {
	if f.rows == nil {
		f.rows = csv.NewWriter(f.to())
	}
	if len(f.columns) == 0 {
		gjson.ParseBytes(record).ForEach(func(key, _ gjson.Result) bool {
			f.columns = append(f.columns, key.Str)
			return true
		})
	}
	if !f.headed {
		f.headed = true
		f.cells = append([]string{}, f.columns...)
		for i, cell := range f.cells {
			f.cells[i] = harmlessCell(cell)
		}
		if err := f.rows.Write(f.cells); err != nil {
			return err
		}
	}
	further := f.lack
	if f.named {
		further = nil
	}
	f.cells = f.cells[:0]
	values := columnValues(record, f.columns, further)
	f.meet(values)
	for _, value := range values {
		cell := value.Raw
		switch value.Type {
		case gjson.String:
			cell = harmlessCell(value.Str)
		case gjson.Null:
			cell = ""
		}
		f.cells = append(f.cells, cell)
	}
	return f.rows.Write(f.cells)
}

// harmlessCell is a text that no spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection):
// names of software come from machines, where anybody may have chosen them.
func harmlessCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// end ends a part, from which on it stays.
func (f *exportFile) end() error {
	if f.rows != nil {
		f.rows.Flush()
		if err := f.rows.Error(); err != nil {
			return err
		}
	}
	if f.packed() {
		if err := f.packer.Close(); err != nil {
			return err
		}
	}
	return f.endCopy()
}

// endCopy ends a part that was copied.
func (f *exportFile) endCopy() error {
	if err := f.out.Flush(); err != nil {
		return err
	}
	return f.keep()
}

// lineBreak is a line break, compressed: a file of the service that does not end with one would otherwise run into the
// next.
func (f *exportFile) lineBreak() error {
	if _, err := f.packer.Write([]byte{'\n'}); err != nil {
		return err
	}
	return f.packer.Close()
}

// sum is the hash of the sound part of the file.
func (f *exportFile) sum() string { return hex.EncodeToString(f.hash.Sum(nil)) }
