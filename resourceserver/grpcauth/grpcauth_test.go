package grpcauth_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/globusauth/globusauth/authtest"
	"github.com/globusauth/globusauth/authtest/apptest"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/resourceserver/grpcauth"
	"github.com/globusauth/globusauth/scopes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is the health service of gRPC, which notes the caller.
type service struct {
	*health.Server

	callers []string
}

func (s *service) Check(ctx context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	s.callers = append(s.callers, resourceserver.Caller(ctx).Username)
	return s.Server.Check(ctx, request)
}

func (s *service) Watch(request *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	s.callers = append(s.callers, resourceserver.Caller(stream.Context()).Username)
	return stream.Send(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING})
}

func TestUnaryAndStream_Callers(t *testing.T) {
	t.Parallel()
	server := authtest.New(t)
	ready := server.Ready()
	oauth := flows.Config{Auth: apptest.Client(t, server), ClientID: ready.ConfidentialClientID, ClientSecret: ready.ConfidentialClientSecret}
	api, err := resourceserver.New(resourceserver.Config{OAuth: oauth})
	if err != nil {
		t.Fatal(err)
	}
	scope := scopes.Scope(ready.DependentGrant.Scope)
	token := server.Issue(authtest.Grant{User: ready.Users[0].Username, Client: ready.NativeClientID, Scopes: []string{string(scope)}})[0].AccessToken

	tests := []struct {
		name   string
		send   []string
		rules  []resourceserver.Rule
		want   codes.Code
		reason string
	}{
		{name: "good token", send: []string{"Bearer " + token}, rules: []resourceserver.Rule{resourceserver.AllScopes(scope)}},
		{name: "no token", want: codes.Unauthenticated},
		{name: "unknown token", send: []string{"Bearer unknown"}, want: codes.Unauthenticated, reason: "invalid_token"},
		{name: "two tokens", send: []string{"Bearer " + token, "Bearer " + token}, want: codes.InvalidArgument, reason: "invalid_request"},
		{name: "MFA is missing", send: []string{"Bearer " + token}, rules: []resourceserver.Rule{resourceserver.MFA()}, want: codes.PermissionDenied, reason: "AuthorizationRequired"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			health := &service{Server: health.NewServer()}
			client := serve(t, health, grpc.UnaryInterceptor(grpcauth.Unary(api, test.rules...)), grpc.StreamInterceptor(grpcauth.Stream(api, test.rules...)))
			ctx := t.Context()
			for _, value := range test.send {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			_, unary := client.Check(ctx, &healthpb.HealthCheckRequest{})
			stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			_, streamed := stream.Recv()
			for _, err := range []error{unary, streamed} {
				if status.Code(err) != test.want || strings.Contains(status.Convert(err).Message(), token) {
					t.Errorf("got %v, want %s", err, test.want)
				}
				if test.want == codes.OK {
					continue
				}
				info, _ := status.Convert(err).Details()[0].(*errdetails.ErrorInfo)
				if info.GetReason() != test.reason {
					t.Errorf("reason %q, want %q", info.GetReason(), test.reason)
				}
				if test.reason == "AuthorizationRequired" && !strings.Contains(info.GetMetadata()["authorization_parameters"], `"session_required_mfa":true`) {
					t.Errorf("the status does not say what a login must do: %v", info)
				}
			}
			if test.want == codes.OK && strings.Join(health.callers, " ") != ready.Users[0].Username+" "+ready.Users[0].Username {
				t.Errorf("the methods saw the callers %q", health.callers)
			}
		})
	}
}

func serve(t *testing.T, service healthpb.HealthServer, options ...grpc.ServerOption) healthpb.HealthClient {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(options...)
	healthpb.RegisterHealthServer(server, service)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	connection, err := grpc.NewClient("passthrough:bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = connection.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return healthpb.NewHealthClient(connection)
}
