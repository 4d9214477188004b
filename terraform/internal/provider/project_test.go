//go:build interop

package provider_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/oapi-codegen/nullable"

	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/gen"
)

func projectWith(fields string) string {
	return "resource \"globusauth_project\" \"lab\" {\n" + fields + "\n}\n"
}

func TestProject(t *testing.T) {
	t.Parallel()
	const address = "globusauth_project.lab"
	w := newWorld(t)
	lab := projectWith(`display_name = "Lab"
		contact_email = "lab@example.edu"
		admin_ids = ["` + alice + `"]
		admin_group_ids = []`) // the service returns null
	var made string
	test := w.testCase(
		resource.TestStep{Config: lab, Check: resource.ComposeTestCheckFunc(
			keep(&made, address),
			resource.TestCheckResourceAttr(address, "admin_group_ids.#", "0"),
		)},
		resource.TestStep{Config: lab, ConfigPlanChecks: empty()},
		resource.TestStep{ResourceName: address, ImportState: true, ImportStateVerify: true},
		resource.TestStep{Config: projectWith(`display_name = "Laboratory"
			contact_email = "laboratory@example.edu"
			admin_ids = ["` + alice + `", "` + bob + `"]
			admin_group_ids = ["` + group + `"]
			timeouts = { create = "1m" }`), ConfigPlanChecks: updated(address), Check: func(*terraform.State) error {
			got, err := w.auth.GetProject(w.Context(), made)
			if err == nil && (got.Project.DisplayName != "Laboratory" || got.Project.ContactEmail != "laboratory@example.edu" || len(got.Project.AdminIDs) != 2 || len(got.Project.AdminGroupIDs) != 1) {
				t.Errorf("got %+v", got.Project)
			}
			return err
		}},
		// Only what differs is sent.
		resource.TestStep{Config: projectWith(`display_name = "Laboratory 2"
			contact_email = "laboratory@example.edu"
			admin_ids = ["` + alice + `", "` + bob + `"]
			admin_group_ids = []`), Check: func(*terraform.State) error {
			requests := w.server.Requests()
			for _, request := range slices.Backward(requests) {
				if request.Operation == "updateProject" {
					if got, want := string(request.Body), `{"project":{"admin_group_ids":[],"display_name":"Laboratory 2"}}`; got != want {
						t.Errorf("got the update %s, want %s", got, want)
					}
					return nil
				}
			}
			return errors.New("no update")
		}},
		// Changed outside of the configuration.
		resource.TestStep{PreConfig: func() {
			_, err := w.auth.UpdateProject(w.Context(), made, gen.UpdateProjectBody{Project: gen.ProjectUpdate{DisplayName: nullable.NewNullableWithValue("Drifted")}})
			if err != nil {
				t.Error(err)
			}
		}, Config: lab, ConfigPlanChecks: updated(address), Check: resource.TestCheckResourceAttr(address, "display_name", "Lab")},
		// Deleted outside of the configuration.
		resource.TestStep{PreConfig: func() {
			if _, err := w.auth.DeleteProject(w.Context(), made); err != nil {
				t.Error(err)
			}
		}, Config: lab, ConfigPlanChecks: created(address)},
	)
	test.CheckDestroy = func(*terraform.State) error {
		_, err := w.auth.GetProject(w.Context(), made)
		if !errors.Is(err, apierror.ErrNotFound) {
			t.Errorf("after the destruction: %v", err)
		}
		return nil
	}
	resource.Test(t, test)
}

func TestProject_Delete_NotEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var made, blocking string
	lab := projectWith(`display_name = "Lab"
		contact_email = "lab@example.edu"
		admin_ids = ["` + alice + `"]`)
	w.run(
		resource.TestStep{Config: lab, Check: keep(&made, "globusauth_project.lab")},
		resource.TestStep{PreConfig: func() {
			response, err := w.auth.CreateClient(w.Context(), gen.CreateClientBody{Client: gen.ClientCreate{Name: "By hand", Project: made, ClientType: "confidential_client"}})
			if err != nil {
				t.Fatal(err)
			}
			blocking = response.Client.ID
		}, Config: lab, Destroy: true, ExpectError: regexp.MustCompile(`(?s)It still has:.*client By hand`)},
		resource.TestStep{PreConfig: func() {
			if _, err := w.auth.DeleteClient(w.Context(), blocking); err != nil {
				t.Fatal(err)
			}
		}, Config: lab},
	)
}

func empty() resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
}

func action(address string, kind plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, kind)}}
}

func updated(address string) resource.ConfigPlanChecks {
	return action(address, plancheck.ResourceActionUpdate)
}

func created(address string) resource.ConfigPlanChecks {
	return action(address, plancheck.ResourceActionCreate)
}

func replaced(address string) resource.ConfigPlanChecks {
	return action(address, plancheck.ResourceActionReplace)
}
