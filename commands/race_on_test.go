//go:build race

package commands_test

// share says that every so many-th hostile value is tried on an argument, each argument of a command beginning with another
// one. With the race detector a value takes several times as long, and shows no more than without; all are tried then.
const share = 4
