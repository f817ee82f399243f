package execution

import (
	"net"
	"syscall"
)

// acknowledgeAtOnce asks the kernel to acknowledge what it has received. The kernel forgets this by itself. An error
// costs some time and nothing else.
func acknowledgeAtOnce(connection *net.TCPConn) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(descriptor uintptr) {
		_ = syscall.SetsockoptInt(int(descriptor), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
