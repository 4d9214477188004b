package authtest

import (
	"context"
	"net/http"

	"github.com/globusauth/globusauth/internal/server"
)

func later() *problem {
	return &problem{status: http.StatusNotImplemented, code: "NOT_IMPLEMENTED", title: "Not Implemented", oauth: "not_implemented", detail: "The test double does not offer this operation yet"}
}
func (e *engine) signInPage(c *call, a *authorization) server.Answer {
	answer, err := e.authorizeAtOnce(c, a)
	if err != nil {
		return e.refuse(a, err)
	}
	return answer
}

func (a api) AuthCodePage(context.Context, server.AuthCodePageRequestObject) (server.AuthCodePageResponseObject, error) {
	return nil, later()
}
func (a api) LogoutPage(context.Context, server.LogoutPageRequestObject) (server.LogoutPageResponseObject, error) {
	return nil, later()
}
