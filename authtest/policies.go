package authtest

import (
	"context"
	"path"
	"slices"

	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/internal/server"
)

// check says what is wrong with a policy.
func (p *Policy) check() error {
	switch {
	case p.Name == "":
		return badRequest("display_name is required")
	case p.RequiredMFA && !p.HighAssurance:
		return badRequest("required_mfa needs high_assurance")
	case p.Timeout != nil && *p.Timeout <= 0:
		return badRequest("authentication_assurance_timeout must be positive")
	}
	for _, domain := range slices.Concat(p.Include, p.Exclude) {
		if _, err := path.Match(domain, ""); err != nil || domain == "" {
			return badRequest("'" + domain + "' is not a domain")
		}
	}
	return nil
}

func (p *Policy) document() server.Policy {
	document := server.Policy{
		ID: p.ID, ProjectID: p.Project, DisplayName: p.Name, Description: p.Description, HighAssurance: p.HighAssurance,
		AuthenticationAssuranceTimeout: nullable.NewNullNullable[int](), RequiredMFA: p.RequiredMFA,
		DomainConstraintsInclude: listOrNull(p.Include), DomainConstraintsExclude: listOrNull(p.Exclude),
	}
	if p.Timeout != nil {
		document.AuthenticationAssuranceTimeout.Set(*p.Timeout)
	}
	return document
}

func (p *Policy) response() server.PolicyResponse { return server.PolicyResponse{Policy: p.document()} }

// findPolicy looks a policy up, of a project about which the caller may do something.
func (e *engine) findPolicy(ctx context.Context, id string, may func(principal, *Project) error) (*Policy, error) {
	caller, err := e.developer(ctx)
	if err != nil {
		return nil, err
	}
	found := e.policies.get(id)
	if found == nil {
		return nil, notFound("No policy has the ID " + id)
	}
	return found, may(caller, e.projects.get(found.Project))
}

// GetPolicies lists the policies of the projects that the caller administers.
func (a api) GetPolicies(ctx context.Context, _ server.GetPoliciesRequestObject) (server.GetPoliciesResponseObject, error) {
	caller, err := a.developer(ctx)
	if err != nil {
		return nil, err
	}
	return server.PolicyList{Policies: documents(a.policies.all(), func(p *Policy) bool {
		return a.administers(caller, a.projects.get(p.Project))
	}, (*Policy).document)}, nil
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
func timeoutOf(field nullable.Nullable[int]) *int {
	if !field.IsSpecified() || field.IsNull() {
		return nil
	}
	seconds := field.MustGet()
	return &seconds
}

// CreatePolicy makes a policy.
func (a api) CreatePolicy(ctx context.Context, request server.CreatePolicyRequestObject) (server.CreatePolicyResponseObject, error) {
	body := request.Body.Policy
	of, err := a.changeableProject(ctx, body.ProjectID)
	if err != nil {
		return nil, err
	}
	added := &Policy{
		Project: of.ID, Name: body.DisplayName, Description: body.Description, HighAssurance: given(body.HighAssurance),
		Timeout: timeoutOf(body.AuthenticationAssuranceTimeout), RequiredMFA: given(body.RequiredMFA),
		Include: given(body.DomainConstraintsInclude), Exclude: given(body.DomainConstraintsExclude),
	}
	if err := added.check(); err != nil {
		return nil, err
	}
	added.ID = a.random.uuid()
	a.policies.add(added.ID, added)
	a.changed()
	return added.response(), nil
}

// UpdatePolicy changes a policy.
func (a api) UpdatePolicy(ctx context.Context, request server.UpdatePolicyRequestObject) (server.UpdatePolicyResponseObject, error) {
	found, err := a.findPolicy(ctx, request.PolicyID, a.mayChange)
	if err != nil {
		return nil, err
	}
	body, next := request.Body.Policy, *found
	set(&next.Name, body.DisplayName)
	set(&next.Description, body.Description)
	set(&next.HighAssurance, body.HighAssurance)
	set(&next.RequiredMFA, body.RequiredMFA)
	set((*[]string)(&next.Include), body.DomainConstraintsInclude)
	set((*[]string)(&next.Exclude), body.DomainConstraintsExclude)
	if body.AuthenticationAssuranceTimeout.IsSpecified() {
		next.Timeout = timeoutOf(body.AuthenticationAssuranceTimeout)
	}
	if body.ProjectID.IsSpecified() {
		into, err := a.changeableProject(ctx, given(body.ProjectID))
		if err != nil {
			return nil, err
		}
		next.Project = into.ID
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
	a.policies.remove(found.ID)
	a.changed()
	return found.response(), nil
}
