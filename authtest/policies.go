package authtest

import (
	"path"
	"slices"
)

// policy is an authentication policy.
type policy struct {
	id                string
	project           *project
	name, description string
	highAssurance     bool
	timeout           *int // seconds
	requiredMFA       bool
	include, exclude  []string // nil: null
	deleted           bool
}

// check says what is wrong with a policy.
func (p *policy) check() error {
	switch {
	case p.name == "":
		return badRequest("display_name is required")
	case p.requiredMFA && !p.highAssurance:
		return badRequest("required_mfa needs high_assurance")
	case p.timeout != nil && *p.timeout <= 0:
		return badRequest("authentication_assurance_timeout must be positive")
	}
	for _, domain := range slices.Concat(p.include, p.exclude) {
		if _, err := path.Match(domain, ""); err != nil || domain == "" {
			return badRequest("'" + domain + "' is not a domain")
		}
	}
	return nil
}
