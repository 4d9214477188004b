package docs_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/globusauth/globusauth"
	"github.com/globusauth/globusauth/apierror"
	"github.com/globusauth/globusauth/app"
	"github.com/globusauth/globusauth/flows"
	"github.com/globusauth/globusauth/flows/login"
	"github.com/globusauth/globusauth/idtoken"
	"github.com/globusauth/globusauth/scopes"
	"github.com/globusauth/globusauth/tokens"
	"github.com/globusauth/globusauth/tokens/filestore"
	"github.com/globusauth/globusauth/tokens/sqlitestore"
)

// fromPythonApps continues the table of fromPython. A call of use without arguments means that there is no
// counterpart; the comment then has the reason.
func fromPythonApps(
	ctx context.Context, user *app.App, store tokens.Store, key tokens.Key, set tokens.Set, tok tokens.Token, merge func(tokens.Set) (tokens.Set, error),
	manager login.Manager, flow flows.Config, requirement apierror.Requirement, failure *apierror.Error,
	id, secret, text string, want scopes.List, document []byte, in io.Reader, out io.Writer, err error,
) {
	// ## Apps
	// `UserApp` and `ClientApp` are both an `app.App`, made by `app.NewUser` and `app.NewService`. Files of a Python app are found and shared.

	// GlobusApp
	use(app.App{})
	// UserApp
	use(app.NewUser(app.Config{ClientID: id, Name: "my-tool", Scopes: want}))
	// ClientApp
	use(app.NewService(app.Config{ClientID: id, ClientSecret: secret, Scopes: want}))
	// GlobusApp.login: without `Force`, if it is required
	use(user.Login(ctx, app.LoginOptions{Force: true}))
	// GlobusApp.login_required: the error says why
	use(user.LoginRequired(ctx))
	// GlobusApp.logout
	use(user.Logout(ctx, app.LogoutOptions{}))
	// GlobusApp.get_authorizer: or `user.Source`
	use(user.HTTPClient(ctx, scopes.TransferResourceServer))
	// GlobusApp.add_scope_requirements
	use(user.AddScopes(scopes.TransferAll))
	// GlobusApp.scope_requirements: the program names them in `app.Config` and `user.AddScopes`
	use()
	// GlobusApp.get_client_retry_checks: `user.HTTPClient` then does it
	use(app.Config{RedriveGAREs: true})
	// GlobusApp.close: and waits for renewals that were sent
	use(user.Close(ctx))
	// GlobusApp.token_storage: checked; the program's `tokens.Store` has the stored ones
	use(user.Tokens(ctx))
	// GlobusAppConfig
	use(app.Config{})
	// GlobusAppConfig.login_flow_manager: the default is a `login.Loopback`
	use(app.Config{Login: login.CommandLine{}})
	// GlobusAppConfig.login_redirect_uri
	use(app.Config{RedirectURI: text})
	// GlobusAppConfig.token_storage
	use(app.Config{Store: store})
	// GlobusAppConfig.request_refresh_tokens: requested unless this is set
	use(app.Config{NoRefreshTokens: true})
	// GlobusAppConfig.auto_redrive_gares
	use(app.Config{RedriveGAREs: true})
	// GlobusAppConfig.token_validation_error_handler: only Login logs in; by default the call that needs a token does
	use(app.Config{NoLogin: true})
	// GlobusAppConfig.id_token_decoder: the configuration of the `app.Config`'s Client
	use(globusauth.Config{IDTokens: idtoken.Options{Leeway: time.Minute}})
	// GlobusAppConfig.environment: the same
	use(globusauth.Config{Environment: globusauth.Preview})
	// TokenStorageProvider: a `tokens.Store` is a value of `app.Config`; nothing is made from an app
	use()
	// LoginFlowManagerProvider: a `login.Manager` is a value of `app.Config`; nothing is made from an app
	use()
	// IDTokenDecoderProvider: `globusauth.Config` configures the verifier of every app
	use()
	// TokenValidationErrorHandler: with `NoLogin` the program handles the error itself
	use(errors.Is(err, tokens.ErrLoginRequired))

	// ## Token storages
	// A storage is a `tokens.Store` of whole sets. `Update` is exclusive across processes.

	// TokenStorage: `tokens/storetest` tests a custom store
	use(tokens.Store(nil))
	// TokenStorage.store_token_response: merge returns `set.Merge` of the stored and the new set
	use(store.Update(ctx, key, merge))
	// TokenStorage.store_token_data_by_resource_server
	use(store.Update(ctx, key, merge))
	// TokenStorage.get_token_data_by_resource_server
	use(store.Load(ctx, key))
	// TokenStorage.get_token_data
	use(set.ByResourceServer(scopes.TransferResourceServer))
	// TokenStorage.remove_token_data: within `store.Update`; for a whole login, `store.Delete`
	use(set.Without(scopes.TransferResourceServer))
	// TokenStorage.close: stores close themselves
	use()
	// FileTokenStorage
	use(filestore.New(filestore.Config{Path: text, ClientID: id}))
	// FileTokenStorage.for_globus_app: or `sqlitestore.New`
	use(filestore.New(filestore.Config{AppName: "my-tool"}))
	// FileTokenStorage.file_exists: a missing file is an empty store
	use()
	// FileTokenStorage.user_only_umask: files are always private
	use()
	// JSONTokenStorage: the same files, formats 1.0 and 2.0
	use(filestore.New(filestore.Config{Path: text, ClientID: id}))
	// SQLiteTokenStorage: the same files
	use(sqlitestore.New(sqlitestore.Config{Path: text, ClientID: id}))
	// SQLiteTokenStorage.iter_namespaces: of every store
	use(store.Keys(ctx))
	// MemoryTokenStorage
	use(tokens.NewMemory())
	// ValidatingTokenStorage: an `app.App` checks what it reads and stores; the errors are below
	use(user.Tokens(ctx))
	// ValidatingTokenStorage.identity_id
	use(tok.IdentityID)
	// TokenStorageData: unknown fields are kept in the file
	use(tokens.Token{})
	// TokenStorageData.to_dict: of a set, with every secret
	use(set.MarshalStorage())
	// TokenStorageData.from_dict
	use(tokens.UnmarshalStorage(document))
	// HasRefreshTokensValidator
	use(errors.Is(err, app.ErrMissingRefreshToken))
	// NotExpiredValidator
	use(errors.Is(err, app.ErrTokenExpired))
	// UnchangingIdentityIDValidator
	use(errors.Is(err, app.ErrIdentityMismatch))
	// ScopeRequirementsValidator: with dependent scopes, by consents
	use(errors.Is(err, app.ErrUnmetScopes))
	// TokenDataValidator.before_store: a custom `tokens.Store` that wraps another can check in Update
	use()
	// TokenDataValidator.after_retrieve: a custom `tokens.Store` that wraps another can check in Load
	use()
	// TokenValidationError
	use(errors.Is(err, tokens.ErrLoginRequired))
	// MissingTokenError
	use(errors.Is(err, app.ErrMissingToken))
	// ExpiredTokenError
	use(errors.Is(err, app.ErrTokenExpired))
	// UnmetScopeRequirementsError
	use(errors.Is(err, app.ErrUnmetScopes))
	// IdentityValidationError: and `flows.ErrIdentity`
	use(errors.Is(err, app.ErrIdentityMismatch))
	// MissingIdentityError
	use(errors.Is(err, flows.ErrIdentity))
	// IdentityMismatchError
	use(errors.Is(err, app.ErrIdentityMismatch))
	// SimpleJSONFileAdapter: its files are read
	use(filestore.New(filestore.Config{Path: text, ClientID: id}))
	// SQLiteAdapter: its files are read
	use(sqlitestore.New(sqlitestore.Config{Path: text, ClientID: id}))
	// SQLiteAdapter.store_config: a token store holds tokens; keep settings in another file
	use()
	// MemoryAdapter
	use(tokens.NewMemory())

	// ## Login flow managers
	// A manager is a `login.Manager`; it gets the client, as a `flows.Config`, and the options of the login.

	// LoginFlowManager: a function is one, by `login.Func`
	use(login.Manager(nil))
	// LoginFlowManager.run_login_flow
	use(manager.Login(ctx, flow))
	// LoginFlowManager.for_globus_app: the consent page shows the name of the app and the machine
	use(app.Config{Name: "my-tool"})
	// CommandLineLoginFlowManager
	use(login.CommandLine{})
	// CommandLineLoginFlowManager.print_authorize_url
	use(login.CommandLine{Out: out})
	// CommandLineLoginFlowManager.prompt_for_code: for another prompt, write a `login.Manager`
	use(login.CommandLine{In: in})
	// CommandLineLoginFlowEOFError
	use(errors.Is(err, login.ErrNoInput))
	// LocalServerLoginFlowManager: it takes any free port of 127.0.0.1, and the page is built in
	use(login.Loopback{})
	// LocalServerLoginError: an error of the server is an `*apierror.Error`
	use(errors.Is(err, login.ErrTimeout))
	// LocalServerEnvironmentalLoginError: no error; the login continues there
	use(login.Loopback{Fallback: login.CommandLine{}})
	// LocalServerLoginFlowManager.background_local_server: the server runs only during one Login
	use()

	// ## Requirements of services (GARE)
	// An `*apierror.Error` has all forms of requirements as `apierror.AuthorizationParameters`.

	// GARE
	use(apierror.Requirement{})
	// GARE.from_dict: any form
	use(apierror.Requirements(document))
	// GARE.to_dict
	use(json.Marshal(requirement))
	// GlobusAuthorizationParameters
	use(apierror.AuthorizationParameters{})
	// to_gare: the first of several
	use(failure.Authorization)
	// is_gare
	use(errors.Is(err, apierror.ErrAuthorizationRequired))
	// has_gares
	use(len(apierror.Requirements(document)) > 0)
}

// mentionedOfApps contains the names in the notes of that part.
func mentionedOfApps(user *app.App, store tokens.Store, set tokens.Set) {
	use(user.Source, store.Delete, set.Merge, login.Func(nil))
}

var _, _ = fromPythonApps, mentionedOfApps
