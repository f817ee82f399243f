package platform

import "io"

const (
	// largeMessage is from how many bytes on what is written counts as large.
	largeMessage = 1 << 20
	// widePipe is what the pipe to the platform holds from a large message on, in bytes; the system gives it a quarter of
	// that. The platform and the program then take turns less often, which for 10,000 machines takes a tenth off the CPU
	// time. It is no wider, and not for ever, because the system bounds what all pipes of a user hold together.
	widePipe = 256 << 10
)

// output is the pipe to the platform.
type output struct {
	to      io.Writer
	written int // since the platform's last line
	// narrowed is what the pipe held before it was made wide; 0 when it was not.
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

// narrow undoes widen. The pipe has to be empty, as it is when the platform has sent a line of its own accord.
func (o *output) narrow() {
	if o.narrowed > 0 {
		resizePipe(o.to, o.narrowed)
	}
	o.written, o.narrowed = 0, 0
}
