package platform

import "io"

const (
	// largeMessage is from how many bytes on what is written counts as large.
	largeMessage = 1 << 20
	// usualPipe and widePipe are what the pipe to the platform holds, in bytes: as the system makes it, and while a large
	// message is written. The platform and the program then take turns less often, which for 10,000 machines takes a tenth
	// off the CPU time. It is no wider because the system bounds what all pipes of a user hold together, and only for
	// so long for the same reason.
	usualPipe = 64 << 10
	widePipe  = 256 << 10
)

// output is the pipe to the platform.
type output struct {
	to      io.Writer
	written int // since the platform's last execution line
	wide    bool
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
	if o.written += more; o.written >= largeMessage && !o.wide {
		o.wide = true
		resizePipe(o.to, widePipe)
	}
}

// narrow undoes widen. The pipe has to be empty, as it is when the platform has sent a line of its own accord.
func (o *output) narrow() {
	if o.wide {
		resizePipe(o.to, usualPipe)
	}
	o.written, o.wide = 0, false
}
