// Package consents shows what a person has consented to.
//
// Globus Auth keeps one consent for each scope a client may use on behalf of an
// identity. Where a service needs other services in turn, its consent has
// children, one for each dependency. The response of the consents operation is a
// flat list; [NewForest] makes trees of it:
//
//	list, err := client.GetConsents(ctx, identityID, nil)
//	forest, err := consents.NewForest(list.Consents)
//	missing, err := forest.Missing(scopes.List{scopes.TransferAll.With(dataAccess)})
//
// [Forest.Meets] and [Forest.Missing] have the semantics of the official Python
// SDK:
//
//   - A requirement is met by a single tree whose root has its name and whose
//     children meet its dependencies, each by any child with that name. Two trees
//     that have one of two dependencies each do not meet it together.
//   - Every element of the required list is parsed on its own, so that a[b] and
//     a[c] as two elements may be met by two trees. Within one element equal
//     scopes are merged, as [scopes.Parse] does.
//   - Names compare exactly. Whether a dependency is optional, and the status, client and
//     identity of a consent, are ignored.
//
// A [Forest] is immutable and safe for concurrent use.
package consents
