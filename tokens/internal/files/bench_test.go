package files_test

import (
	"os"
	"testing"

	"github.com/globusauth/globusauth/internal/bench"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/internal/files"
	"github.com/globusauth/globusauth/tokens/internal/files/jsonfile"
)

// BenchmarkUpdate counts how often a changed login of filestore is flushed to disk: the file, and the directory that names it.
func BenchmarkUpdate(b *testing.B) {
	syncs, changes := 0, 0
	system := files.System{Sync: func(f *os.File) error {
		syncs++
		return f.Sync()
	}}
	store, err := files.New(files.Kind{Package: "test", Extension: ".json", Backend: jsonfile.Backend{}, System: system}, files.Config{AppName: "x", Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	change := func() {
		changes++
		_, err := store.Update(b.Context(), tokens.Key{ClientID: "c"}, func(tokens.Set) (tokens.Set, error) {
			return tokens.NewSet(tokens.Token{AccessToken: string(rune('A' + changes%2)), ResourceServer: "s"})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	change() // creates the file
	before := changes
	syncs = 0
	for b.Loop() {
		change()
	}
	b.ReportMetric(0, "ns/op")
	bench.Report(b, float64(syncs)/float64(changes-before), "fsyncs/op", 3)
}
