package grpcauth_test

import (
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/resourceserver"
	"github.com/globusauth/globusauth/resourceserver/grpcauth"
)

func Example() {
	auth, err := globusauth.New(globusauth.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := resourceserver.New(resourceserver.Config{
		OAuth: flows.Config{Auth: auth, ClientID: "CLIENT_ID", ClientSecret: "CLIENT_SECRET"},
		Rules: []resourceserver.Rule{resourceserver.AllScopes("https://auth.globus.org/scopes/CLIENT_ID/jobs")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(grpcauth.Unary(api)),
		grpc.StreamInterceptor(grpcauth.Stream(api, resourceserver.Fresh(15*time.Minute))),
	)
	fmt.Println(len(server.GetServiceInfo()), "services")
	// Output: 0 services
}
