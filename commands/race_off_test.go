//go:build !race

package commands_test

// share says that every hostile value is tried on every argument.
const share = 1
