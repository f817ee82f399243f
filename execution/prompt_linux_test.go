package execution

import (
	"context"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTheBeginningOfAConnectionIsAcknowledgedAtOnce looks at the kernel's setting before and after reads.
func TestTheBeginningOfAConnectionIsAcknowledgedAtOnce(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if peer, err := listener.Accept(); err == nil {
			io.Copy(peer, peer)
		}
	}()
	connection, err := promptly(new(net.Dialer).DialContext)(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	raw, err := connection.(*promptConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for read := 1; read <= promptReads+2; read++ {
		if _, err := connection.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		got := 0
		option := func(do func(descriptor int) error) {
			if controlErr := raw.Control(func(descriptor uintptr) { err = do(int(descriptor)) }); controlErr != nil || err != nil {
				t.Fatal(controlErr, err)
			}
		}
		option(func(descriptor int) error {
			return unix.SetsockoptInt(descriptor, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
		})
		if _, err := connection.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		option(func(descriptor int) error {
			got, err = unix.GetsockoptInt(descriptor, unix.IPPROTO_TCP, unix.TCP_QUICKACK)
			return err
		})
		if want := map[bool]int{true: 1, false: 0}[read <= promptReads]; got != want {
			t.Errorf("after read %d: got %d, want %d", read, got, want)
		}
	}
}
