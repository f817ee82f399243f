package platform

import "io"

const (
	// largeMessage is the size in bytes from which on a message counts as large.
	largeMessage = 1 << 20
	// widePipe is the size in bytes of the pipe to the platform during a large message; the system's default is an eighth of
	// it. The platform and the program then take turns less often, which saves more than a tenth of the CPU time for 10,000 machines.
	// It is no larger, and only for the message, because the system bounds the size of all pipes of a user together: to that of
	// 128 such messages at once.
	widePipe = 512 << 10
)

// output is the pipe to the platform.
type output struct {
	to      io.Writer
	written int // since the platform's last line
	// narrowed is the size of the pipe before it was made wide, or 0 if it was not.
	narrowed int
}

// Write writes what an Encoder has gathered.
func (o *output) Write(part []byte) (int, error) {
	o.widen(len(part))
	return o.to.Write(part)
}

// WriteString writes what an Encoder passes on without gathering it.
func (o *output) WriteString(part string) (int, error) {
	o.widen(len(part))
	return io.WriteString(o.to, part)
}

func (o *output) widen(more int) {
	before := o.written
	if o.written += more; before >= largeMessage || o.written < largeMessage {
		return
	}
	if held := pipeSize(o.to); 0 < held && held < widePipe {
		o.narrowed = held
		resizePipe(o.to, widePipe)
	}
}

// narrow undoes widen. The pipe must be empty, as it is when the platform sends an execution or a ping.
func (o *output) narrow() {
	if o.narrowed > 0 {
		resizePipe(o.to, o.narrowed)
	}
	o.written, o.narrowed = 0, 0
}
