// Package warroom describes the report of a command: entries with readable text, tables, context and files, in the
// platform's terms but without knowing how the platform is spoken to.
package warroom

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Kind is how the War Room shows an entry.
type Kind int

// The kinds of entries.
const (
	Note Kind = iota
	Warning
	Failure
	Download // a file for the user
	Info     // a file with information on the incident
)

// Entry is one War Room entry.
type Entry struct {
	Kind Kind
	// Blocks are the readable part, in order.
	Blocks []Block
	// Context are the values that playbooks read.
	Context []Context
	// Contents is the raw answer of the service; nil shows the readable part instead.
	Contents Value
	// File goes with the kinds Download and Info.
	File *File
	// Poll schedules the command again.
	Poll *Poll
	// Literal is text for the platform itself, which it gets unchanged instead of the readable part.
	Literal string
	// Tags mark the entry for filters of the War Room, and Pinned makes it a note of the incident.
	Tags   []string
	Pinned bool
}

// Context is one context path with its value.
type Context struct {
	// Path is the path with its key part, such as "MicrosoftATP.Machine(val.ID === obj.ID)".
	Path  string
	Value Value
}

// File is a file that an entry offers.
type File struct {
	Name string
	// ID is the name that the FileStore gave the bytes.
	ID string
	// Size is the number of bytes, SHA256 their hash in lower-case hex.
	Size   int64
	SHA256 string
}

// FileStore is where files of entries are saved, and from where files that others put in the War Room are read.
type FileStore interface {
	// Create opens a new file and returns the id under which an entry names it. Discard removes a file
	// that was not completed.
	Create() (id string, file OutputFile, err error)
	Discard(id string) error
	// Reopen opens a file that an earlier execution created and did not complete. It returns an error when the file
	// is no longer there: the next execution may run on another machine.
	Reopen(id string) (OutputFile, error)
	// Open opens the file of another entry for reading and returns its name without a path.
	Open(ctx context.Context, entry string) (name string, file InputFile, err error)
}

// OutputFile is a file that is being written. What was written can be read and taken back, so that a file whose
// source fails can continue from where it was sound.
type OutputFile interface {
	io.ReadWriteSeeker
	io.Closer
	Truncate(size int64) error
}

// InputFile is a file that is read, in parts and more than once where that is needed, so that nobody must hold it in
// memory.
type InputFile interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// FileError reports that a file of the War Room could not be read.
type FileError struct {
	// Entry is the argument that named the file.
	Entry string
	Err   error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("The file %s could not be read: %s. Give the ID of a War Room entry with a file or, in the terminal, a path.", Visible(e.Entry), strings.TrimRight(e.Err.Error(), "."))
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// LeastWait is the shortest time after which the platform runs a command again.
const LeastWait = 10 * time.Second

// Poll asks the platform to run a command again.
type Poll struct {
	Command string
	// Args are the arguments of the next run: names and ids, nothing secret.
	Args map[string]any
	// After is the wait until then, which the platform makes LeastWait if it is shorter.
	After time.Duration
	// Limit is how long the platform continues in all; zero leaves it to the platform.
	Limit time.Duration
	// Done is how many of All things that are waited for have ended; both are zero when they are not counted.
	Done, All int
}

// Say is a note with one paragraph.
func Say(text string) Entry { return Entry{Kind: Note, Blocks: []Block{Paragraph(text)}} }

// Fail is an error entry.
func Fail(text string) Entry { return Entry{Kind: Failure, Blocks: []Block{Paragraph(text)}} }
