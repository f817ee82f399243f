package defender

import "golang.org/x/sys/unix"

// borrow returns memory from the system, outside of the heap, or nil if it has none.
func borrow(size int) []byte {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	preferHugePages(memory)
	return memory
}

// giveBack returns borrowed memory to the system, which takes it in any case.
func giveBack(memory []byte) { _ = unix.Munmap(memory) }

// preferHugePages asks for pages of 2 MiB where memory covers them. Filling 11 MB takes 3,000 page faults with the usual ones,
// a tenth of the time of an answer of that size. A system without any to spare hands out the usual ones.
func preferHugePages(memory []byte) { _ = unix.Madvise(memory, unix.MADV_HUGEPAGE) }
