package keyringstore

// Open is New with another keyring.
var Open = open
