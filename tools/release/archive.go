package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"testing/fstest"
	"time"
)

// files are the content of an archive. The same files and time give the same bytes on every machine.
type files = fstest.MapFS

func file(data []byte, mode fs.FileMode, when time.Time) *fstest.MapFile {
	return &fstest.MapFile{Data: data, Mode: mode, ModTime: when}
}

func tarred(out io.Writer, content files) error {
	archive := tar.NewWriter(out)
	return errors.Join(archive.AddFS(content), archive.Close())
}

func gzipped(out io.Writer, content files) error {
	compressed := gzip.NewWriter(out)
	return errors.Join(tarred(compressed, content), compressed.Close())
}

func zipped(out io.Writer, content files) error {
	archive := zip.NewWriter(out)
	return errors.Join(archive.AddFS(content), archive.Close())
}
