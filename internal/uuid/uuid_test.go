package uuid_test

import (
	"testing"

	"github.com/google/uuid"

	ours "github.com/globusauth/globusauth/internal/uuid"
)

func TestValid_EveryByteAtEveryPosition(t *testing.T) {
	t.Parallel()
	const good = "46bd0f56-e24f-11e5-A510-131BEF46955c"
	for i := range len(good) {
		for c := range 256 {
			text := good[:i] + string([]byte{byte(c)}) + good[i+1:]
			if got, want := ours.Valid(text), uuid.Validate(text) == nil; got != want {
				t.Errorf("Valid(%q) is %v, want %v", text, got, want)
			}
		}
	}
	for _, text := range []string{"", good[:35], good + "0", "{" + good + "}", "urn:uuid:" + good, "46bd0f56e24f11e5a510131bef46955c"} {
		if ours.Valid(text) {
			t.Errorf("Valid(%q) is true", text)
		}
	}
}
