package filestore

// NewOn is New on another system.
var NewOn = newOn
