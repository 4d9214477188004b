package authtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/globusauth/globusauth/authtest"
)

func TestServerReset_GoesBackToTheStart(t *testing.T) {
	t.Parallel()
	world := authtest.DefaultWorld()
	world.Users = append(world.Users, authtest.User{Username: "dora@example.edu"})
	for name, config := range map[string]authtest.Config{
		"built-in": {}, "given": {World: &world}, "of a snapshot": {World: new(authtest.DefaultWorld()), Seed: &world},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.Deterministic = name != "of a snapshot" // which is a smaller world
			p := newPeer(t, config)
			login := p.login("openid")
			p.server.AddUser(authtest.User{Username: "eve@example.edu"})
			p.server.Link("bob@example.edu", "carol@globusid.org")
			p.server.Advance(time.Hour)
			p.server.Inject(authtest.Fault{Kind: authtest.FaultStatus, Operation: "getIdentities", Status: 500})
			p.want(p.do("POST", "/_authtest/reset", "", object{}), 200)

			if got := p.login("openid"); config.Deterministic && text(got, "access_token") != text(login, "access_token") {
				t.Error("a deterministic server does not begin with the same tokens again")
			}
			if err := p.server.Reset(); err != nil {
				t.Fatal(err)
			}
			if _, err := p.server.Login(t.Context(), "eve@example.edu", p.server.BaseURL()); err == nil || !strings.Contains(err.Error(), "no user") {
				t.Errorf("an added user is still there: %v", err)
			}
			p.want(p.do("GET", "/v2/oauth2/userinfo", bearer(text(login, "access_token")), nil), 401)
			if left := time.Until(p.server.Now()); left > time.Minute {
				t.Errorf("the clock is %v ahead", left)
			}
			if faults := p.server.Snapshot().Faults; len(faults) != 0 {
				t.Errorf("faults %+v", faults)
			}
			if name != "built-in" { // the seed is back
				dora, err := p.server.Login(t.Context(), "dora@example.edu", p.server.BaseURL()+"v2/oauth2/authorize?"+p.authorizeQuery("openid").Encode())
				if err != nil || dora.Query().Get("code") == "" {
					t.Errorf("the user of the seed cannot log in: %v", err)
				}
			}
		})
	}
}

// Members of a group that administers a project are its administrators.
func TestGroups_MembersAdministerProjects(t *testing.T) {
	t.Parallel()
	const group, other = "12345678-0000-4000-8000-00000000000a", "12345678-0000-4000-8000-00000000000b"
	world := authtest.DefaultWorld()
	world.Groups = []authtest.Group{{ID: group, Name: "Operators", Description: "They operate.", Members: []string{"bob@example.edu"}}}
	world.Projects = append(world.Projects,
		authtest.Project{Name: "of the group", AdminGroupIDs: []string{group}},
		authtest.Project{Name: "of an unknown group", AdminGroupIDs: []string{other}})
	p := newPeer(t, authtest.Config{World: &world})
	p = newPeer(t, authtest.Config{World: new(p.server.Snapshot())}) // groups are kept
	for user, want := range map[string]string{"bob@example.edu": "[of the group]", "carol@globusid.org": "[]"} {
		token := bearer(text(p.login("openid "+manage, "login_hint", user), "access_token"))
		names, ids := []string{}, []string{}
		for _, each := range p.want(p.do("GET", "/v2/api/projects", token, nil), 200).json(t)["projects"].([]any) {
			project, _ := each.(map[string]any)
			names, ids = append(names, text(project, "display_name")), append(ids, text(project, "id"))
			if shown := fmt.Sprint(project["admins"]); !strings.Contains(shown, "Operators") || !strings.Contains(shown, "They operate.") {
				t.Errorf("admins are %s", shown)
			}
		}
		if fmt.Sprint(names) != want {
			t.Errorf("%s administers %v, want %s", user, names, want)
		}
		for _, id := range ids {
			p.want(p.do("PUT", "/v2/api/projects/"+id, token, object{"project": object{"display_name": "renamed"}}), 200)
		}
	}
}

// A seed that names no one is refused.
func TestGroups_UnknownMember(t *testing.T) {
	t.Parallel()
	_, err := authtest.NewServer(authtest.Config{World: &authtest.World{Groups: []authtest.Group{{Name: "g", Members: []string{"x@y.z"}}}}})
	if err == nil || !strings.Contains(err.Error(), `there is no user or client "x@y.z"`) {
		t.Errorf("error %v", err)
	}
}

// Linking is as fast for the last of many identities as for the first.
func TestServerLink_ManyPeopleKeepTheirOrder(t *testing.T) {
	t.Parallel()
	world := authtest.DefaultWorld()
	for n := range 50 {
		world.Users = append(world.Users, authtest.User{Username: fmt.Sprintf("u%02d@example.edu", n)})
	}
	s := authtest.NewWith(t, authtest.Config{World: &world})
	for n := 1; n < 49; n++ {
		s.Link("u00@example.edu", fmt.Sprintf("u%02d@example.edu", n))
	}
	var order []string
	for _, user := range s.Ready().Users {
		order = append(order, user.Username)
	}
	if got := strings.Join(order, " "); got != "alice@example.edu bob@example.edu carol@globusid.org u00@example.edu u49@example.edu" {
		t.Errorf("people: %s", got)
	}
	if linked := s.Snapshot().Users[3].Linked; len(linked) != 48 || linked[0].Username != "u01@example.edu" || linked[47].Username != "u48@example.edu" {
		t.Errorf("linked: %v", linked)
	}
}

// The control API takes what its requests need and no more.
func TestControl_BodiesAreBounded(t *testing.T) {
	t.Parallel()
	s, client := emulate(t, authtest.Config{})
	long := "{\"advance\": \"1h\", \"x\": \"" + strings.Repeat("x", 2<<20) + "\"}"
	for path, want := range map[string]int{"_authtest/clock": http.StatusRequestEntityTooLarge, "_authtest/world": http.StatusBadRequest} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.BaseURL()+path, strings.NewReader(long))
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := respond(t, client, request); status != want { // a world may be long, and has no field x
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}
