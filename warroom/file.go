package warroom

import (
	"errors"
	"os"
)

// OpenInput opens a file of the file system that commands may read: a regular one. A folder, a pipe or a device is
// refused, because reading it may never end.
func OpenInput(path string) (InputFile, error) {
	// Opening a pipe that nobody writes to would wait, so it is looked at first.
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	return file, nil
}

var errNotRegular = errors.New("it is not a regular file")

// withoutPath leaves the path out of an error of the file system: the user who gave it knows it, and where the platform keeps
// files is nothing for the War Room.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}
