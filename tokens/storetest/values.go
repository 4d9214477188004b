package storetest

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/globusauth/globusauth/tokens"
)

// values stores every field alone and cleared, odd texts, and sets large and small.
func values(w *twin) {
	sets := []tokens.Set{
		must(tokens.NewSet(
			tokens.Token{AccessToken: `a"b\c'd`, RefreshToken: "<>&", TokenType: "%s", Scope: "[] *", ResourceServer: `"quoted" \ server`, IdentityID: "ü\u2028"},
			tokens.Token{AccessToken: "no known expiry", ResourceServer: "null"},
			tokens.Token{AccessToken: "first", ResourceServer: " ", Expiry: time.Unix(1, 0), Lifetime: time.Second},
			tokens.Token{AccessToken: "last", ResourceServer: "data", Expiry: time.Unix(253402300799, 0), Lifetime: 1<<63 - 1},
		)),
		large(),
		one("small again"),
	}
	full := tokens.Token{} // with a value in every field, so that a store cannot forget a new one
	for field, value := range reflect.ValueOf(&full).Elem().Fields() {
		switch value.Interface().(type) {
		case string:
			value.SetString("value-" + field.Name)
		case time.Time:
			value.Set(reflect.ValueOf(time.Unix(1700000000, 0)))
		case time.Duration:
			value.Set(reflect.ValueOf(time.Hour))
		default:
			w.Fatalf("no sample for the field %s", field.Name)
		}
	}
	least := tokens.Token{AccessToken: "least", ResourceServer: "least"}
	sets = append(sets, must(tokens.NewSet(full, least)), must(tokens.NewSet(least)))
	for i := range reflect.TypeFor[tokens.Token]().NumField() {
		cleared := full
		reflect.ValueOf(&cleared).Elem().Field(i).SetZero()
		if set, err := tokens.NewSet(cleared); err == nil { // else a token must have the field
			sets = append(sets, must(tokens.NewSet(full)), set)
		}
	}
	for _, set := range sets {
		w.put(aKey(), set)
	}
}

func large() tokens.Set {
	var list []tokens.Token
	for i := range 60 {
		list = append(list, tokens.Token{
			AccessToken: strings.Repeat("a", 4000) + strconv.Itoa(i), RefreshToken: strings.Repeat("r", 4000),
			ResourceServer: fmt.Sprint("server-", i), Expiry: time.Unix(1700000000, 0),
		})
	}
	return must(tokens.NewSet(list...))
}
