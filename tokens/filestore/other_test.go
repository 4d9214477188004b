//go:build !unix

package filestore_test

const childEnv = "FILESTORE_CHILD"

// child is for systems with limits on the size of files.
func child(string) int { return 1 }
