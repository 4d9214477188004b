package authtest

import (
	"iter"
	"slices"
	"strings"
)

// table finds records by ID and keeps them in the order of their creation, which is that of lists in
// responses.
type table[T any] struct {
	byID map[string]*T
	ids  []string
}

// get returns the record with an ID in either letter case, or nil.
func (t *table[T]) get(id string) *T { return t.byID[strings.ToLower(id)] }

func (t *table[T]) add(id string, added *T) {
	if t.byID == nil {
		t.byID = map[string]*T{}
	}
	t.byID[id] = added
	t.ids = append(t.ids, id)
}

func (t *table[T]) remove(id string) {
	delete(t.byID, id)
	t.ids = slices.DeleteFunc(t.ids, func(each string) bool { return each == id })
}

func (t *table[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, id := range t.ids {
			if !yield(t.byID[id]) {
				return
			}
		}
	}
}

// documents describes the records for which a condition holds; nil means all.
func documents[R, T any](records iter.Seq[R], keep func(R) bool, describe func(R) T) []T {
	list := []T{}
	for record := range records {
		if keep == nil || keep(record) {
			list = append(list, describe(record))
		}
	}
	return list
}
