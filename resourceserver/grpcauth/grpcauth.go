// Package grpcauth protects gRPC services with Globus Auth access tokens, as package
// resourceserver protects HTTP handlers.
//
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(grpcauth.Unary(api)),
//		grpc.StreamInterceptor(grpcauth.Stream(api)),
//	)
//
// [Unary] and [Stream] take rules that every method requires. Callers send
// "authorization: Bearer TOKEN" as metadata. In a method, [resourceserver.Caller]
// returns the caller.
//
// A denied call has the status code Unauthenticated (HTTP 401), PermissionDenied (403),
// InvalidArgument (400) or Unavailable (503). The reason of its
// google.rpc.ErrorInfo is the code of the denial; if a new login can help, its
// metadata entry "authorization_parameters" is what the login must do, as in a Globus Auth
// Requirements Error (GARE).
package grpcauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/globusauth/globusauth/resourceserver"
)

// Unary returns an interceptor for calls with one response. Callers must meet the rules
// of the API and these. It panics if a rule is invalid, as resourceserver.API.Protect does.
func Unary(api *resourceserver.API, rules ...resourceserver.Rule) grpc.UnaryServerInterceptor {
	api.Protect(nil, rules...) // checks the rules
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		ctx, err := authenticate(ctx, api, rules)
		if err != nil {
			return nil, err
		}
		return handler(ctx, request)
	}
}

// Stream is Unary for streams. The caller is checked when the stream begins.
func Stream(api *resourceserver.API, rules ...resourceserver.Rule) grpc.StreamServerInterceptor {
	api.Protect(nil, rules...)
	return func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx, err := authenticate(stream.Context(), api, rules)
		if err != nil {
			return err
		}
		return handler(server, serverStream{stream, ctx})
	}
}

type serverStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // As the interface of streams wants.
}

// Context returns the context with the caller.
func (s serverStream) Context() context.Context { return s.ctx }

func authenticate(ctx context.Context, api *resourceserver.API, rules []resourceserver.Rule) (context.Context, error) {
	request := (&http.Request{Header: http.Header{}}).WithContext(ctx)
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); values != nil {
		request.Header["Authorization"] = values
	}
	caller, err := api.FromRequest(request, rules...)
	if err != nil {
		return nil, statusOf(err)
	}
	return resourceserver.NewContext(ctx, caller), nil
}

// statusOf is the status of a denied call. It contains what an HTTP response would.
func statusOf(err error) error {
	denied, ok := errors.AsType[*resourceserver.DeniedError](err)
	if !ok {
		return status.Error(codes.Internal, "the call failed")
	}
	info := &errdetails.ErrorInfo{Reason: denied.Code, Domain: "auth.globus.org"}
	if denied.Requirement != nil {
		info.Reason = denied.Requirement.Code
		if text, err := json.Marshal(denied.Requirement.Parameters); err == nil {
			info.Metadata = map[string]string{"authorization_parameters": string(text)}
		}
	}
	code, known := map[int]codes.Code{
		http.StatusBadRequest: codes.InvalidArgument, http.StatusUnauthorized: codes.Unauthenticated,
		http.StatusForbidden: codes.PermissionDenied, http.StatusServiceUnavailable: codes.Unavailable,
	}[denied.Status]
	if !known {
		code = codes.PermissionDenied
	}
	result := status.New(code, denied.Message)
	if detailed, err := result.WithDetails(info); err == nil {
		result = detailed
	}
	return result.Err()
}
