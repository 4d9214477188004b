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

// fromPythonApps goes on with the table of fromPython. A call of use without arguments is
// for what has no counterpart; the comment then says why.
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
	use(user.Logout(ctx, app.LogoutOptions{Sweep: true}))
	// GlobusApp.get_authorizer: or `user.TokenSource`
	use(user.HTTPClient(ctx, scopes.TransferResourceServer))
	// GlobusApp.add_scope_requirements
	use(user.AddScopes(scopes.TransferAll))
	// GlobusApp.scope_requirements: the program has named them itself, in `app.Config` and `user.AddScopes`
	use()
	// GlobusApp.get_client_retry_checks: `user.HTTPClient` then does it
	use(app.Config{RedriveGAREs: true})
	// GlobusApp.close: and waits for renewals that were sent
	use(user.Close(ctx))
	// GlobusApp.token_storage: checked; what is stored is in the program's own `tokens.Store`
	use(user.Tokens(ctx))
	// GlobusAppConfig
	use(app.Config{})
	// GlobusAppConfig.login_flow_manager: the default is a `login.Loopback`
	use(app.Config{Login: login.CommandLine{}})
	// GlobusAppConfig.login_redirect_uri
	use(app.Config{RedirectURI: text})
	// GlobusAppConfig.token_storage
	use(app.Config{Store: store})
	// GlobusAppConfig.request_refresh_tokens: they are asked for unless this is set
	use(app.Config{NoRefreshTokens: true})
	// GlobusAppConfig.auto_redrive_gares
	use(app.Config{RedriveGAREs: true})
	// GlobusAppConfig.token_validation_error_handler: only Login logs in; otherwise the call that needs a token does
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
	// A storage is a `tokens.Store` of whole sets. Its one way to change something is exclusive across processes.

	// TokenStorage: `tokens/storetest` tests one of your own
	use(tokens.Store(nil))
	// TokenStorage.store_token_response: merge returns what `set.Merge` makes of the stored and the new set
	use(store.Update(ctx, key, merge))
	// TokenStorage.store_token_data_by_resource_server
	use(store.Update(ctx, key, merge))
	// TokenStorage.get_token_data_by_resource_server
	use(store.Load(ctx, key))
	// TokenStorage.get_token_data
	use(set.ByResourceServer(scopes.TransferResourceServer))
	// TokenStorage.remove_token_data: within `store.Update`; all of a login, `store.Delete`
	use(set.Without(scopes.TransferResourceServer))
	// TokenStorage.close: stores keep nothing open between calls
	use()
	// FileTokenStorage
	use(filestore.New(filestore.Config{Path: text, ClientID: id}))
	// FileTokenStorage.for_globus_app: or `sqlitestore.New`
	use(filestore.New(filestore.Config{AppName: "my-tool"}))
	// FileTokenStorage.file_exists: a file that is missing is an empty store
	use()
	// FileTokenStorage.user_only_umask: files are always for their owner alone
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
	// TokenStorageData: fields that are unknown here are kept in the file
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
	// TokenDataValidator.before_store: a `tokens.Store` of your own around another one checks in its Update
	use()
	// TokenDataValidator.after_retrieve: a `tokens.Store` of your own around another one checks in its Load
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
	// SQLiteAdapter.store_config: a token store holds tokens; keep a program's settings in a file of its own
	use()
	// MemoryAdapter
	use(tokens.NewMemory())

	// ## Login flow managers
	// A manager is a `login.Manager`; it gets the client, as a `flows.Config`, and the options of the login.

	// LoginFlowManager: a function is one, by `login.Func`
	use(login.Manager(nil))
	// LoginFlowManager.run_login_flow
	use(manager.Login(ctx, flow))
	// LoginFlowManager.for_globus_app: an app names itself and the machine at the consent
	use(app.Config{Name: "my-tool"})
	// CommandLineLoginFlowManager
	use(login.CommandLine{})
	// CommandLineLoginFlowManager.print_authorize_url
	use(login.CommandLine{Out: out})
	// CommandLineLoginFlowManager.prompt_for_code: other ways to ask are a `login.Manager` of your own
	use(login.CommandLine{In: in})
	// CommandLineLoginFlowEOFError
	use(errors.Is(err, login.ErrNoInput))
	// LocalServerLoginFlowManager: `server_address` is Address; the page is built in
	use(login.Loopback{})
	// LocalServerLoginError: what the server reported is an `*apierror.Error`
	use(errors.Is(err, login.ErrTimeout))
	// LocalServerEnvironmentalLoginError: no error; the login goes on there
	use(login.Loopback{Fallback: login.CommandLine{}})
	// LocalServerLoginFlowManager.background_local_server: the server lives within one Login, which returns when nothing listens any more
	use()

	// ## Requirements of services (GARE)
	// Whatever form a service sends, an `*apierror.Error` has it as `apierror.AuthorizationParameters`.

	// GARE
	use(apierror.Requirement{})
	// GARE.from_dict: of any form that services send
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

// mentionedOfApps holds what the notes of that part name.
func mentionedOfApps(user *app.App, store tokens.Store, set tokens.Set) {
	use(user.TokenSource, store.Delete, set.Merge, login.Func(nil))
}

var _, _ = fromPythonApps, mentionedOfApps
