package authtest

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
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

func (p *policy) document() server.Policy {
	document := server.Policy{
		ID: p.id, ProjectID: p.project.id, DisplayName: p.name, Description: p.description, HighAssurance: p.highAssurance,
		AuthenticationAssuranceTimeout: nullable.NewNullNullable[int](), RequiredMFA: p.requiredMFA,
		DomainConstraintsInclude: listOrNull(p.include), DomainConstraintsExclude: listOrNull(p.exclude),
	}
	if p.timeout != nil {
		document.AuthenticationAssuranceTimeout.Set(*p.timeout)
	}
	return document
}

func (p *policy) response() server.PolicyResponse { return server.PolicyResponse{Policy: p.document()} }

// findPolicy looks a policy up, of a project about which the caller may do something.
func (e *engine) findPolicy(ctx context.Context, id string, may func(principal, *project) error) (*policy, error) {
	caller, err := e.developer(ctx)
	if err != nil {
		return nil, err
	}
	found := e.policies[strings.ToLower(id)]
	if found == nil {
		return nil, notFound("No policy has the ID " + id)
	}
	return found, may(caller, found.project)
}

// GetPolicies lists the policies of the projects that the caller administers.
func (a api) GetPolicies(ctx context.Context, _ server.GetPoliciesRequestObject) (server.GetPoliciesResponseObject, error) {
	caller, err := a.developer(ctx)
	if err != nil {
		return nil, err
	}
	documents := []server.Policy{}
	for _, id := range a.ordered.policies {
		if p := a.policies[id]; a.administers(caller, p.project) {
			documents = append(documents, p.document())
		}
	}
	return server.PolicyList{Policies: documents}, nil
}

// GetPolicy reads one policy.
func (a api) GetPolicy(ctx context.Context, request server.GetPolicyRequestObject) (server.GetPolicyResponseObject, error) {
	found, err := a.findPolicy(ctx, request.PolicyID, a.mayRead)
	if err != nil {
		return nil, err
	}
	return found.response(), nil
}

// timeoutOf reads a timeout, which may be null.
func timeoutOf(member nullable.Nullable[int]) *int {
	if !member.IsSpecified() || member.IsNull() {
		return nil
	}
	seconds := member.MustGet()
	return &seconds
}

// CreatePolicy makes a policy.
func (a api) CreatePolicy(ctx context.Context, request server.CreatePolicyRequestObject) (server.CreatePolicyResponseObject, error) {
	body := request.Body.Policy
	of, err := a.changeableProject(ctx, body.ProjectID)
	if err != nil {
		return nil, err
	}
	added := &policy{
		project: of, name: body.DisplayName, description: body.Description, highAssurance: given(body.HighAssurance),
		timeout: timeoutOf(body.AuthenticationAssuranceTimeout), requiredMFA: given(body.RequiredMFA),
		include: given(body.DomainConstraintsInclude), exclude: given(body.DomainConstraintsExclude),
	}
	if err := added.check(); err != nil {
		return nil, err
	}
	added.id = a.random.uuid()
	a.keepPolicy(added)
	return added.response(), nil
}

// UpdatePolicy changes a policy.
func (a api) UpdatePolicy(ctx context.Context, request server.UpdatePolicyRequestObject) (server.UpdatePolicyResponseObject, error) {
	found, err := a.findPolicy(ctx, request.PolicyID, a.mayChange)
	if err != nil {
		return nil, err
	}
	body, next := request.Body.Policy, *found
	set(&next.name, body.DisplayName)
	set(&next.description, body.Description)
	set(&next.highAssurance, body.HighAssurance)
	set(&next.requiredMFA, body.RequiredMFA)
	set(&next.include, body.DomainConstraintsInclude)
	set(&next.exclude, body.DomainConstraintsExclude)
	if body.AuthenticationAssuranceTimeout.IsSpecified() {
		next.timeout = timeoutOf(body.AuthenticationAssuranceTimeout)
	}
	if body.ProjectID.IsSpecified() {
		if next.project, err = a.changeableProject(ctx, given(body.ProjectID)); err != nil {
			return nil, err
		}
	}
	if err := next.check(); err != nil {
		return nil, err
	}
	*found = next
	a.changed()
	return found.response(), nil
}

// DeletePolicy deletes a policy.
func (a api) DeletePolicy(ctx context.Context, request server.DeletePolicyRequestObject) (server.DeletePolicyResponseObject, error) {
	found, err := a.findPolicy(ctx, request.PolicyID, a.mayChange)
	if err != nil {
		return nil, err
	}
	found.deleted = true
	delete(a.policies, found.id)
	a.ordered.policies = drop(a.ordered.policies, found.id)
	a.changed()
	return found.response(), nil
}
