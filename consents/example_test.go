package consents_test

import (
	"fmt"

	"github.com/globusauth/globusauth/consents"
	"github.com/globusauth/globusauth/gen"
	"github.com/globusauth/globusauth/scopes"
)

// An application wants to know whether it has to send the person to the consent
// page before it moves files from a collection.
func Example() {
	dataAccess := scopes.CollectionDataAccess("1f3b9b60-6a55-4c0a-8b3f-0d5a3a1e8f52")
	forest, err := consents.NewForest([]gen.Consent{ // as GetConsents returns them
		{ID: 11, DependencyPath: []int64{11}, ScopeName: "openid", Client: "my-app", Status: "approved"},
		{ID: 12, DependencyPath: []int64{12}, ScopeName: scopes.TransferAll.Name(), Client: "my-app", Status: "approved"},
		{
			ID: 13, DependencyPath: []int64{12, 13}, ScopeName: scopes.GroupsViewMyGroups.Name(),
			Client: "transfer", Status: "approved",
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(forest)

	missing, err := forest.Missing(scopes.List{scopes.AuthOpenID, scopes.TransferAll.With(dataAccess.Optional())})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range missing {
		fmt.Println("missing:", m.Path[len(m.Path)-1])
	}
	// Output:
	// openid (consent 11, client my-app)
	// urn:globus:auth:scope:transfer.api.globus.org:all (consent 12, client my-app)
	// └── urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships (consent 13, client transfer)
	// missing: https://auth.globus.org/scopes/1f3b9b60-6a55-4c0a-8b3f-0d5a3a1e8f52/data_access
}
